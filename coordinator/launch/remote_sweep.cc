#include "coordinator/launch/remote_sweep.h"

#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "coordinator/launch/descriptor.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/remote_command.h"
#include "coordinator/launch/run_lock.h"
#include "coordinator/launch/spawn.h"
#include "coordinator/launch/system.h"

namespace ltml::launch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kHostsLimit(20);
// Of the sweep on a host, so that it can still answer.
constexpr std::chrono::seconds kMachineLimit(10);

// The agents must not carry the attempt's mark, or the sweep that they bring would end them.
std::vector<std::string> UnmarkedEnvironment() {
  std::vector<std::string> result = OwnEnvironment();
  std::erase_if(result, [](const std::string& entry) {
    return entry.starts_with(fmt::format("{}=", kAttemptVariable)) ||
           entry.starts_with("LTML_TOKEN=");
  });
  return result;
}

// The agent that sweeps one host.
struct HostSweep {
  std::string address;
  pid_t agent = -1;
  Descriptor watch{};
  std::string failure{};
};

HostSweep Begin(const v1::LaunchPlan& plan, const std::string& address,
                const std::filesystem::path& log, const ProcessIdentity& spared) {
  HostSweep sweep{.address = address};
  auto arguments = AgentCommand(plan, address, SweepCommand(plan, spared));
  const absl::StatusOr<pid_t> agent = arguments.ok() ? Spawn({.arguments = *std::move(arguments),
                                                              .environment = UnmarkedEnvironment(),
                                                              .log = log})
                                                     : absl::StatusOr<pid_t>(arguments.status());
  if (!agent.ok()) {
    sweep.failure = std::string(agent.status().message());
    return sweep;
  }
  sweep.agent = *agent;
  sweep.watch = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, *agent, 0)));
  return sweep;
}

void End(HostSweep& sweep, Clock::time_point deadline) {
  if (sweep.agent < 0) return;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  pollfd entry{sweep.watch.number(), POLLIN, 0};
  const bool ended = sweep.watch.open() &&
                     ::poll(&entry, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) > 0;
  // Its session is its own: nothing that the agent started stays.
  if (!ended) ::kill(-sweep.agent, SIGKILL);
  int status = 0;
  while (::waitpid(sweep.agent, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended) {
    sweep.failure = fmt::format("no answer within {} s", kHostsLimit.count());
  } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    sweep.failure = fmt::format("the launch agent ended with status {}; sweep.log says more",
                                WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

}  // namespace

std::vector<std::string> SweepHosts(const v1::LaunchPlan& plan,
                                    const std::filesystem::path& attempt_folder,
                                    const ProcessIdentity& spared) {
  const Clock::time_point deadline = Clock::now() + kHostsLimit;
  std::vector<HostSweep> sweeps;
  for (const std::string& address : RemoteAddresses(plan)) {
    sweeps.push_back(Begin(plan, address, attempt_folder / "sweep.log", spared));
  }
  std::vector<std::string> failures;
  for (HostSweep& sweep : sweeps) {
    End(sweep, deadline);
    if (sweep.failure.empty()) continue;
    failures.push_back(fmt::format("{}: {}", sweep.address, sweep.failure));
    base::Log(base::LogLevel::kError, "host_not_swept", "host={} reason={}", sweep.address,
              base::LogValue(sweep.failure));
  }
  return failures;
}

bool SweepThisMachine(const std::string& launch_id, const ProcessIdentity& spared) {
  const bool here = WatchProcess(spared).open();
  const AttemptMark mark{.id = launch_id, .spared = here ? spared.process : 0};
  const Sweep sweep = EndProcesses(mark, kMachineLimit);
  std::error_code ignored;
  // The scratch folder of a supervisor that lives is its own.
  if (!here) std::filesystem::remove_all(ScratchFolder(launch_id), ignored);
  return sweep.left.empty();
}

}  // namespace ltml::launch
