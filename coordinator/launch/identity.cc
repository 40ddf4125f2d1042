#include "coordinator/launch/identity.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "common/base/files.h"

namespace ltml::launch {
namespace {

constexpr int kStartTimeField = 22;  // of /proc/PID/stat, from 1
constexpr int kStateField = 3;       // the first one after the name

std::string BootId() {
  std::string text = base::ReadFile("/proc/sys/kernel/random/boot_id", 4096).value_or("");
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

int64_t StartTicks(pid_t process) {
  const auto text = base::ReadFile(fmt::format("/proc/{}/stat", process), 65536);
  if (!text.ok() || text->rfind(')') == std::string::npos) return 0;
  std::istringstream fields(text->substr(text->rfind(')') + 1));
  std::string field;
  for (int number = kStateField; number <= kStartTimeField; ++number) fields >> field;
  long long ticks = 0;
  return std::sscanf(field.c_str(), "%lld", &ticks) == 1 ? ticks : 0;
}

bool Same(const ProcessIdentity& one, const ProcessIdentity& other) {
  return one.boot_id == other.boot_id && one.process == other.process &&
         one.start_ticks == other.start_ticks && one.start_ticks != 0;
}

}  // namespace

ProcessIdentity IdentityOf(pid_t process) { return {BootId(), process, StartTicks(process)}; }

std::string ToText(const ProcessIdentity& identity) {
  return fmt::format("{}:{}:{}", identity.boot_id, identity.process, identity.start_ticks);
}

ProcessIdentity ParseIdentity(const std::string& text) {
  ProcessIdentity result;
  const size_t end = text.find(':');
  long long ticks = 0;
  if (end == std::string::npos ||
      std::sscanf(text.c_str() + end, ":%d:%lld", &result.process, &ticks) != 2) {
    return {};
  }
  result.boot_id = text.substr(0, end);
  result.start_ticks = ticks;
  return result;
}

base::Descriptor WatchProcess(const ProcessIdentity& identity) {
  if (identity.process <= 0 || !Same(IdentityOf(identity.process), identity)) return {};
  base::Descriptor watch(static_cast<int>(::syscall(SYS_pidfd_open, identity.process, 0)));
  // Between the look and the opening the number may have gone to another process.
  if (watch.open() && !Same(IdentityOf(identity.process), identity)) return {};
  return watch;
}

}  // namespace ltml::launch
