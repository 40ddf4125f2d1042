#include "coordinator/launch/launcher.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "common/base/descriptor.h"
#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "common/base/system.h"
#include "common/process/spawn.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/mpirun_command.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/supervised_attempt.h"

namespace ltml::launch {
namespace {

using std::chrono::milliseconds;

int64_t Milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::ceil<milliseconds>(time).count();
}

absl::StatusOr<std::filesystem::path> FindProgram(const std::filesystem::path& path) {
  if (::access(path.c_str(), X_OK) == 0) return path;
  return absl::NotFoundError(
      fmt::format("no program '{}': {}; build or install all of ltml's programs into one folder",
                  path.string(), base::Reason(errno)));
}

struct Programs {
  std::filesystem::path supervisor;
  std::filesystem::path worker;
};

absl::StatusOr<std::filesystem::path> FindWorker(const std::filesystem::path& folder, bool on_gpu) {
  const char* given = std::getenv("LTML_WORKER");
  if (given != nullptr && *given != '\0') return FindProgram(std::filesystem::absolute(given));
  if (!on_gpu) return FindProgram(folder / "ltml-worker");
  auto found = FindProgram(folder / "ltml-worker-cuda");
  if (found.ok()) return found;
  return absl::NotFoundError(
      fmt::format("resources.device is \"cuda\", but there is no program '{}': build the GPU part "
                  "(make cuda), or set resources.device = \"cpu\"",
                  (folder / "ltml-worker-cuda").string()));
}

absl::StatusOr<Programs> FindPrograms(const std::filesystem::path& configured, bool on_gpu) {
  LTML_ASSIGN_OR_RETURN(const std::filesystem::path folder, ProgramFolder(configured));
  Programs programs;
  LTML_ASSIGN_OR_RETURN(programs.supervisor, FindProgram(folder / "ltml-supervisor"));
  LTML_ASSIGN_OR_RETURN(programs.worker, FindWorker(folder, on_gpu));
  return programs;
}

absl::Status CheckHosts(const LaunchOptions& options) {
  for (const RankHost& host : options.hosts) {
    LTML_RETURN_IF_ERROR(CheckAddress(host.address));
    if (host.ranks < 1) {
      return absl::InvalidArgumentError(
          fmt::format("host '{}' has {} ranks, and needs at least one", host.address, host.ranks));
    }
  }
  if (!options.hosts.empty() && options.threads_per_rank >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("an attempt needs at least one host and one thread, got {} and {}",
                  options.hosts.size(), options.threads_per_rank));
}

absl::Status CheckOptions(const LaunchOptions& options) {
  LTML_RETURN_IF_ERROR(CheckHosts(options));
  if (!IsAttemptId(options.launch_id)) {
    return absl::InvalidArgumentError(
        fmt::format("launch id '{}' is none of RandomToken()", options.launch_id));
  }
  if (::geteuid() == 0 && !options.allow_root) {
    return absl::FailedPreconditionError(
        "jobs must not run as root: start the server as another user, or allow root in its "
        "configuration");
  }
  if (!std::filesystem::is_directory(options.run_folder)) {
    return absl::NotFoundError(fmt::format("no run folder '{}'", options.run_folder.string()));
  }
  return base::MakeFolder(options.attempt_folder);
}

// Under `ltml train` ranks see what the user sees; under the service what it was told to hand on.
std::vector<std::string> Inherited(const LaunchOptions& options) {
  if (!options.outlives_owner) return base::OwnEnvironment();
  return AllowedEnvironment(base::OwnEnvironment(), options.environment);
}

absl::Status SetHosts(const LaunchOptions& options, v1::LaunchPlan& plan) {
  for (const RankHost& host : options.hosts) {
    v1::LaunchPlan::Host& entry = *plan.add_hosts();
    entry.set_address(host.address);
    entry.set_ranks(host.ranks);
    entry.set_remote(!IsThisMachine(host.address));
  }
  if (RemoteAddresses(plan).empty()) return absl::OkStatus();
  if (options.remote.agent.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("host '{}' is not this machine, and no launch agent is configured",
                    RemoteAddresses(plan).front()));
  }
  plan.mutable_agent()->Assign(options.remote.agent.begin(), options.remote.agent.end());
  plan.mutable_interfaces()->Assign(options.remote.interfaces.begin(),
                                    options.remote.interfaces.end());
  const std::vector<std::string> names =
      NamesToHandOn(AllowedEnvironment(base::OwnEnvironment(), options.environment));
  plan.mutable_environment()->Assign(names.begin(), names.end());
  return absl::OkStatus();
}

absl::Status WritePlan(const LaunchOptions& options, const Programs& programs) {
  v1::LaunchPlan plan;
  LTML_RETURN_IF_ERROR(SetHosts(options, plan));
  plan.set_run_folder(std::filesystem::absolute(options.run_folder).string());
  plan.set_attempt_epoch(options.attempt_epoch);
  plan.set_launch_id(options.launch_id);
  plan.set_supervisor(programs.supervisor.string());
  plan.set_worker(programs.worker.string());
  plan.set_stop_grace_milliseconds(Milliseconds(options.stop_grace));
  plan.set_lock_wait_milliseconds(Milliseconds(options.lock_wait));
  plan.set_outlives_owner(options.outlives_owner);
  return base::WriteJsonFile(options.attempt_folder / "launch.json", plan);
}

process::SpawnOptions SupervisorSpawn(const LaunchOptions& options, const Programs& programs,
                                      int control) {
  return {.arguments = {programs.supervisor.string(), "--attempt",
                        std::filesystem::absolute(options.attempt_folder).string(), "--control",
                        fmt::format("{}", process::kControlDescriptor)},
          .environment = AttemptEnvironment(Inherited(options),
                                            {.attempt_id = options.launch_id,
                                             .token = options.token,
                                             .threads_per_rank = options.threads_per_rank}),
          .log = options.attempt_folder / "supervisor.log",
          .control = control};
}

// For the supervisor's own work after the grace is over.
std::chrono::seconds SweepMargin(const LaunchOptions& options) {
  return options.remote.agent.empty() ? std::chrono::seconds(5) : std::chrono::seconds(30);
}

absl::StatusOr<SupervisorHandle> StartSupervisor(const LaunchOptions& options,
                                                 const Programs& programs) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return absl::InternalError(fmt::format("cannot make a socket pair: {}", base::Reason(errno)));
  }
  SupervisorHandle handle;
  handle.is_child = true;
  handle.control = base::Descriptor(pair[0]);
  const base::Descriptor other(pair[1]);
  LTML_ASSIGN_OR_RETURN(handle.process,
                        process::Spawn(SupervisorSpawn(options, programs, other.number())));
  handle.watch = base::Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, handle.process, 0)));
  if (handle.watch.open()) return handle;
  const int error = errno;
  ::kill(handle.process, SIGKILL);
  ::waitpid(handle.process, nullptr, 0);
  return absl::InternalError(fmt::format("cannot watch the supervisor: {}", base::Reason(error)));
}

}  // namespace

absl::StatusOr<std::filesystem::path> ProgramFolder(const std::filesystem::path& configured) {
  if (!configured.empty()) return configured;
  const char* given = std::getenv("LTML_BIN_DIR");
  if (given != nullptr && *given != '\0') return std::filesystem::absolute(given);
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) return self.parent_path();
  return absl::InternalError(fmt::format("cannot find this program: {}", error.message()));
}

absl::StatusOr<std::unique_ptr<Attempt>> Launch(const LaunchOptions& options) {
  LTML_RETURN_IF_ERROR(CheckOptions(options));
  LTML_ASSIGN_OR_RETURN(const Programs programs,
                        FindPrograms(options.remote.programs, options.on_gpu));
  LTML_RETURN_IF_ERROR(WritePlan(options, programs));
  LTML_ASSIGN_OR_RETURN(SupervisorHandle supervisor, StartSupervisor(options, programs));
  auto attempt = std::make_unique<SupervisedAttempt>(
      SupervisedAttemptOptions{.attempt_folder = options.attempt_folder,
                               .attempt_epoch = options.attempt_epoch,
                               .launch_id = options.launch_id,
                               .end_limit = options.stop_grace + SweepMargin(options),
                               .outlives_owner = options.outlives_owner},
      std::move(supervisor));
  const absl::Status started = attempt->WaitForStart(options.lock_wait, options.abandoned);
  if (started.ok()) return attempt;
  attempt->EndNow("the attempt did not start");
  return started;
}

}  // namespace ltml::launch
