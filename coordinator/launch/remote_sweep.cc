#include "coordinator/launch/remote_sweep.h"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include "common/base/log.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/remote_command.h"
#include "coordinator/launch/remote_run.h"
#include "coordinator/launch/run_lock.h"

namespace ltml::launch {
namespace {

constexpr std::chrono::seconds kHostsLimit(20);
// Of the sweep on a host, so that it can still answer.
constexpr std::chrono::seconds kMachineLimit(10);

// A host whose failure tells all has said nothing more.
std::string FailureOf(const HostAnswer& answer) {
  const std::string text(answer.status.message());
  return absl::IsUnavailable(answer.status) ? text + "; sweep.log says more" : text;
}

}  // namespace

std::vector<std::string> SweepHosts(const v1::LaunchPlan& plan,
                                    const std::filesystem::path& attempt_folder,
                                    const ProcessIdentity& spared) {
  std::vector<TargetHost> hosts;
  for (const std::string& address : RemoteAddresses(plan)) hosts.push_back({.address = address});
  const std::vector<HostAnswer> answers =
      RunOnHosts(hosts, {.agent = {plan.agent().begin(), plan.agent().end()},
                         .command = SweepCommand(plan, spared),
                         .limit = kHostsLimit});
  std::ofstream log(attempt_folder / "sweep.log", std::ios::app);
  std::vector<std::string> failures;
  for (const HostAnswer& answer : answers) {
    log << answer.output << answer.said;
    if (answer.status.ok()) continue;
    failures.push_back(fmt::format("{}: {}", answer.address, FailureOf(answer)));
    base::Log(base::LogLevel::kError, "host_not_swept", "host={} reason={}", answer.address,
              base::LogValue(FailureOf(answer)));
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
