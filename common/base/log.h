#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace ltml::base {

// Logs are events with key=value fields on stderr:
//   2026-01-02T03:04:05.678Z info checkpoint_written step=500 folder="..."
// Levels: debug for developers, info for what an operator wants to know, warning for what a user
// should look at, error for what ended the work.  Logging never throws.
enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// Sets the least level that is written; info at the start.
void SetLogLevel(LogLevel level);

// Fields that every later event of this process carries, as in "job=clipart rank=1".
void SetLogContext(std::string fields);

void LogEvent(LogLevel level, std::string_view event, std::string_view fields);

// A value for a field: quoted when it holds spaces, quotes or control characters, which are
// escaped.
std::string LogValue(std::string_view text);

// Log(LogLevel::kInfo, "rank_connected", "rank={} host={}", rank, LogValue(host));
template <typename... Args>
void Log(LogLevel level, std::string_view event, fmt::format_string<Args...> format,
         Args&&... args) {
  LogEvent(level, event, fmt::format(format, std::forward<Args>(args)...));
}
inline void Log(LogLevel level, std::string_view event) { LogEvent(level, event, ""); }

}  // namespace ltml::base
