#include "coordinator/launch/mpirun_report.h"

#include <cstdio>
#include <string>

#include "common/base/files.h"

namespace ltml::launch {
namespace {

// "mpirun noticed that process rank 1 with PID 0 on node vm exited on signal 9 (Killed)."
std::optional<RankExit> FindSignal(std::string_view log) {
  const size_t begin = log.find("noticed that process rank ");
  if (begin == std::string_view::npos) return std::nullopt;
  const std::string text(log.substr(begin, 4096));
  RankExit result;
  if (std::sscanf(text.c_str(), "noticed that process rank %d", &result.rank) != 1) {
    return std::nullopt;
  }
  const size_t signal = text.find("on signal ");
  if (signal != std::string::npos) {
    std::sscanf(text.c_str() + signal, "on signal %d", &result.signal);
  }
  return result;
}

// "Process name: [[18493,1],1]" and "Exit code:    3" on the next line.
std::optional<RankExit> FindStatus(std::string_view log) {
  const size_t begin = log.find("Process name: [[");
  if (begin == std::string_view::npos) return std::nullopt;
  const std::string text(log.substr(begin, 4096));
  RankExit result;
  if (std::sscanf(text.c_str(), "Process name: [[%*d,%*d],%d] Exit code: %d", &result.rank,
                  &result.exit_status) != 2) {
    return std::nullopt;
  }
  return result;
}

}  // namespace

std::optional<RankExit> FindRankExit(std::string_view mpirun_log) {
  if (const auto found = FindSignal(mpirun_log)) return found;
  return FindStatus(mpirun_log);
}

std::string LogTail(const std::filesystem::path& file, size_t bytes) {
  auto text = base::ReadFile(file);
  if (!text.ok()) return "";
  if (text->size() <= bytes) return *std::move(text);
  std::string tail = text->substr(text->size() - bytes);
  const size_t line = tail.find('\n');
  return line == std::string::npos ? tail : tail.substr(line + 1);
}

}  // namespace ltml::launch
