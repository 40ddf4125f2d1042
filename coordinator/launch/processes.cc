#include "coordinator/launch/processes.h"

#include <dirent.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

#include "common/base/files.h"

namespace ltml::launch {
namespace {

using Clock = std::chrono::steady_clock;

struct ProcessState {
  char state = 0;
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
};

std::optional<ProcessState> ReadState(pid_t process) {
  const auto text = base::ReadFile(fmt::format("/proc/{}/stat", process), 65536);
  if (!text.ok()) return std::nullopt;
  // "pid (name) state parent group session ...": the name may hold anything, also parentheses.
  const size_t end_of_name = text->rfind(')');
  if (end_of_name == std::string::npos) return std::nullopt;
  ProcessState result;
  const int fields = std::sscanf(text->c_str() + end_of_name + 1, " %c %d %d %d", &result.state,
                                 &result.parent, &result.group, &result.session);
  return fields == 4 ? std::optional(result) : std::nullopt;
}

bool HasVariable(pid_t process, std::string_view variable) {
  const auto text = base::ReadFile(fmt::format("/proc/{}/environ", process));
  if (!text.ok()) return false;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    if (rest.substr(0, end) == variable) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

bool IsOwn(pid_t process) {
  struct stat info {};
  return ::stat(fmt::format("/proc/{}", process).c_str(), &info) == 0 && info.st_uid == ::geteuid();
}

bool Belongs(pid_t process, const AttemptMark& mark) {
  const auto state = ReadState(process);
  if (!state || state->state == 'Z' || state->state == 'X') return false;
  if (mark.supervisor != 0 &&
      (state->session == mark.supervisor || state->parent == mark.supervisor)) {
    return true;
  }
  return HasVariable(process, fmt::format("{}={}", kAttemptVariable, mark.id));
}

}  // namespace

std::vector<pid_t> ProcessesOf(const AttemptMark& mark) {
  std::vector<pid_t> result;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), ::closedir);
  if (folder == nullptr) return result;
  const pid_t self = ::getpid();
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    pid_t process = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process);
    if (error != std::errc() || end != name.data() + name.size() || process == self ||
        process == mark.spared) {
      continue;
    }
    if (IsOwn(process) && Belongs(process, mark)) result.push_back(process);
  }
  return result;
}

Sweep EndProcesses(const AttemptMark& mark, std::chrono::nanoseconds limit) {
  Sweep sweep;
  const Clock::time_point deadline = Clock::now() + limit;
  while (true) {
    sweep.left = ProcessesOf(mark);
    if (sweep.left.empty() || Clock::now() > deadline) return sweep;
    for (const pid_t process : sweep.left) {
      if (::kill(process, SIGKILL) != 0) continue;
      if (std::ranges::find(sweep.killed, process) == sweep.killed.end()) {
        sweep.killed.push_back(process);
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

bool IsAttemptId(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace ltml::launch
