#include "common/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "common/base/log_fields.h"
#include "common/base/log_queue.h"
#include "common/base/visible.h"

namespace ltml::base {
namespace {

// About a megabyte of ordinary lines.
constexpr size_t kMostWaiting = 8192;

constexpr std::array<std::pair<std::string_view, LogLevel>, 5> kLevels = {
    std::pair("debug", LogLevel::kDebug), std::pair("info", LogLevel::kInfo),
    std::pair("warning", LogLevel::kWarning), std::pair("error", LogLevel::kError),
    std::pair("off", LogLevel::kOff)};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

bool WriteToStderr(const std::string& line) {
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    rest.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// Writes whole lines, by the queue while there is one.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void Begin() {
    const std::lock_guard lock(mutex_);
    queue_ = std::make_unique<LogQueue>(&WriteToStderr, kMostWaiting);
  }
  void End() {
    std::unique_ptr<LogQueue> queue;
    {
      const std::lock_guard lock(mutex_);
      queue.swap(queue_);
      dropped_ += queue->dropped();
    }
  }
  void Flush(std::chrono::nanoseconds limit) {
    const std::lock_guard lock(mutex_);
    if (queue_ != nullptr) queue_->Flush(limit);
  }
  int64_t dropped() {
    const std::lock_guard lock(mutex_);
    return dropped_ + (queue_ == nullptr ? 0 : queue_->dropped());
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    std::string line(text.data(), text.size());
    if (queue_ != nullptr) {
      queue_->Push(std::move(line));
    } else if (!WriteToStderr(line)) {
      ++dropped_;
    }
  }
  void flush_() override {}

  std::unique_ptr<LogQueue> queue_;
  int64_t dropped_ = 0;
};

std::string PatternOf(LogFormat format) {
  return format == LogFormat::kJson ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%v}"
                                    : "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
}

// Own objects, so that no library's use of spdlog mixes with ours.
struct Output {
  std::shared_ptr<StderrSink> sink = std::make_shared<StderrSink>();
  std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>("ltml", sink);
  LogFormat format = LogFormat::kText;
  std::string context;

  Output() { SetFormat(LogFormat::kText); }
  void SetFormat(LogFormat to) {
    format = to;
    logger->set_pattern(PatternOf(to), spdlog::pattern_time_type::utc);
  }
};

Output& Out() {
  static Output* const output = new Output;  // lives as long as any thread may log
  return *output;
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (const auto& [known, level] : kLevels) {
    if (known == name) return level;
  }
  return std::nullopt;
}

std::string_view LogLevelName(LogLevel level) {
  return std::ranges::find(kLevels, level, &decltype(kLevels)::value_type::second)->first;
}

std::optional<LogFormat> ParseLogFormat(std::string_view name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  return std::nullopt;
}

void SetLogLevel(LogLevel level) { Out().logger->set_level(ToSpdlog(level)); }

void SetLogFormat(LogFormat format) { Out().SetFormat(format); }

void ConfigureLogFromEnvironment() {
  const auto value = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string_view(text == nullptr ? "" : text);
  };
  if (const auto level = ParseLogLevel(value("LTML_LOG_LEVEL"))) SetLogLevel(*level);
  if (const auto format = ParseLogFormat(value("LTML_LOG_FORMAT"))) SetLogFormat(*format);
}

void SetLogContext(std::string fields) { Out().context = std::move(fields); }

void LogEvent(LogLevel level, std::string_view event, std::string_view fields) {
  Output& out = Out();
  if (!out.logger->should_log(ToSpdlog(level))) return;
  std::string all = out.context;
  if (!all.empty() && !fields.empty()) all += ' ';
  all += fields;
  if (out.format == LogFormat::kText) {
    // Also a value that was not given through LogValue stays on its line.
    all = Visible(all);
    return out.logger->log(ToSpdlog(level), "{}{}{}", event, all.empty() ? "" : " ", all);
  }
  const std::string members = FieldsAsJson(all);
  out.logger->log(ToSpdlog(level), "\"event\":{}{}{}", JsonText(event), members.empty() ? "" : ",",
                  members);
}

std::string LogValue(std::string_view text) {
  std::string visible = Visible(text);
  const bool plain =
      !text.empty() && visible == text && text.find_first_of(" \"\\=") == std::string_view::npos;
  if (plain) return visible;
  std::string quoted = "\"";
  for (const char c : text) {
    // Backslashes of the text itself; those that Visible makes stand for bytes.
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else {
      quoted += c;
    }
  }
  return Visible(quoted) + '"';
}

BackgroundLog::BackgroundLog() { Out().sink->Begin(); }
BackgroundLog::~BackgroundLog() { Out().sink->End(); }

void FlushLog(std::chrono::nanoseconds limit) { Out().sink->Flush(limit); }

int64_t DroppedLogLines() { return Out().sink->dropped(); }

}  // namespace ltml::base
