#include "cli/progress_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace ltml::cli {
namespace {

using Clock = std::chrono::steady_clock;

// A terminal is redrawn at this pace, a log file gets a line at the other.
constexpr std::chrono::milliseconds kTerminalPace(100);
constexpr std::chrono::seconds kPlainPace(5);

Clock::duration Pace(bool terminal) {
  return terminal ? Clock::duration(kTerminalPace) : kPlainPace;
}

size_t TerminalWidth() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 79;
  return size.ws_col - 1u;
}

}  // namespace

std::string ProgressText(std::string_view what, std::string_view unit, int64_t done, int64_t total,
                         double per_second) {
  const int64_t percent = total > 0 ? 100 * done / total : 100;
  std::string text = fmt::format("{}: {} / {} {} ({} %)", what, done, total, unit, percent);
  if (per_second > 0) {
    text += fmt::format(", {:.{}f} {}/s, {} left", per_second, per_second < 10 ? 1 : 0, unit,
                        TimeText(static_cast<double>(total - done) / per_second));
  }
  return text;
}

ProgressLine::ProgressLine(const Context& context, std::string what, std::string unit)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      quiet_(context.quiet),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      last_draw_(start_ - Pace(terminal_)) {}

ProgressLine::~ProgressLine() {
  const absl::MutexLock lock(&mutex_);
  Erase();
}

void ProgressLine::Update(int64_t done, int64_t total) {
  const absl::MutexLock lock(&mutex_);
  if (first_done_ < 0) first_done_ = done;
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - first_done_) / seconds : 0;
  Draw(ProgressText(what_, unit_, done, total, rate));
}

void ProgressLine::Show(std::string_view text) {
  const absl::MutexLock lock(&mutex_);
  Draw(text);
}

void ProgressLine::Note(std::string_view text) {
  const absl::MutexLock lock(&mutex_);
  if (quiet_) return;
  Erase();
  Say(fmt::format("{}\n", text));
}

void ProgressLine::Draw(std::string_view text) {
  const Clock::time_point now = Clock::now();
  if (quiet_ || now - last_draw_ < Pace(terminal_)) return;
  last_draw_ = now;
  if (!terminal_) {
    Say(fmt::format("{}\n", text));
    return;
  }
  Say(fmt::format("\r\x1b[K{}", text.substr(0, std::min(text.size(), TerminalWidth()))));
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressLine::Erase() {
  if (!drawn_) return;
  Say("\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace ltml::cli
