#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ltml::base {

// Logs are events with key=value fields on stderr, a line each:
//   2026-01-02T03:04:05.678Z info checkpoint_written step=500 folder="..."
//   {"time":"2026-01-02T03:04:05.678Z","level":"info","event":"checkpoint_written","step":500,...}
// Logging never throws.  Thread-safe.
//
// Levels have rules:
//   debug    for developers: every call, every step's images
//   info     a change that an operator wants to find later: once an attempt, checkpoint or change
//   warning  went on, but somebody should look: a lost connection, an old checkpoint that stays
//   error    ended the work it speaks of, or lost data
enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// "debug", "info", "warning", "error", "off"; nullopt for anything else.
std::optional<LogLevel> ParseLogLevel(std::string_view name);
std::string_view LogLevelName(LogLevel level);

// Sets the least level that is written, also while the program runs; info at the start.
void SetLogLevel(LogLevel level);

enum class LogFormat { kText, kJson };
// "text" or "json"; nullopt for anything else.
std::optional<LogFormat> ParseLogFormat(std::string_view name);
// To be called before other threads log.
void SetLogFormat(LogFormat format);
// Level and format as LTML_LOG_LEVEL and LTML_LOG_FORMAT name them; others are left as they are.
void ConfigureLogFromEnvironment();

// Fields that every later event of this process carries, as in "job=clipart rank=1".  To be called
// before other threads log.
void SetLogContext(std::string fields);

void LogEvent(LogLevel level, std::string_view event, std::string_view fields);

// A value for a field: quoted when it holds spaces, quotes or what would act on a terminal or a
// line, which is shown as base::Visible does.
std::string LogValue(std::string_view text);

// Log(LogLevel::kInfo, "rank_connected", "rank={} host={}", rank, LogValue(host));
template <typename... Args>
void Log(LogLevel level, std::string_view event, fmt::format_string<Args...> format,
         Args&&... args) {
  LogEvent(level, event, fmt::format(format, std::forward<Args>(args)...));
}
inline void Log(LogLevel level, std::string_view event) { LogEvent(level, event, ""); }

// While it lives, lines are written by a thread of its own, so that a reader of stderr that stands
// still holds up nobody: when too many wait, the oldest are dropped and counted.  One at a time.
// Its destructor writes what waits, for at most a second.
class BackgroundLog {
 public:
  BackgroundLog();
  ~BackgroundLog();
  BackgroundLog(const BackgroundLog&) = delete;
  BackgroundLog& operator=(const BackgroundLog&) = delete;
};

// Waits until all lines so far are written, for a process that is about to leave.
void FlushLog(std::chrono::nanoseconds limit);

int64_t DroppedLogLines();

}  // namespace ltml::base
