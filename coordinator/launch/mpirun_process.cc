#include "coordinator/launch/mpirun_process.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/host_name.h"
#include "common/base/status_macros.h"
#include "common/base/system.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/mpirun_command.h"
#include "coordinator/launch/processes.h"

namespace ltml::launch {
namespace {

// A process that the kernel ends with its parent, whatever ends that.
pid_t ForkBound() {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  return 0;
}

std::vector<std::string> Arguments(const v1::LaunchPlan& plan,
                                   const std::filesystem::path& attempt_folder,
                                   const std::filesystem::path& scratch) {
  MpirunOptions options;
  options.ranks = RankCount(plan);
  options.root = ::geteuid() == 0;
  options.scratch = scratch;
  options.rank_wrapper = plan.supervisor();
  options.worker = plan.worker();
  options.attempt_folder = attempt_folder;
  options.remote = !RemoteAddresses(plan).empty();
  options.host_file = scratch / "hosts";
  // mpirun splits it at blanks, which the path of the programs may have and the scratch's has not.
  options.agent = (scratch / "ltml-supervisor").string() + " --agent";
  options.interfaces.assign(plan.interfaces().begin(), plan.interfaces().end());
  options.environment.assign(plan.environment().begin(), plan.environment().end());
  return MpirunArguments(options);
}

struct Ends {
  int output = -1;
  int error_report = -1;
};

[[noreturn]] void ExecMpirun(std::vector<std::string> arguments,
                             const std::filesystem::path& attempt_folder, const Ends& ends) {
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(ends.output, STDOUT_FILENO);
  ::dup2(ends.output, STDERR_FILENO);
  ::setenv("LTML_MPIRUN", fmt::format("{}", ::getpid()).c_str(), 1);
  ::setenv(kAttemptFolderVariable, attempt_folder.c_str(), 1);
  arguments.insert(arguments.begin(), "mpirun");
  std::vector<char*> pointers = base::Pointers(arguments);
  // Debian's `mpirun` may be another MPI's.
  ::execvp("mpirun.openmpi", pointers.data());
  ::execvp("mpirun", pointers.data());
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(ends.error_report, &error, sizeof error);
  ::_exit(127);
}

absl::Status PrepareHosts(const v1::LaunchPlan& plan, const std::filesystem::path& scratch) {
  if (RemoteAddresses(plan).empty()) return absl::OkStatus();
  std::error_code error;
  std::filesystem::create_symlink(plan.supervisor(), scratch / "ltml-supervisor", error);
  if (error) {
    return absl::InternalError(
        fmt::format("cannot make a link in '{}': {}", scratch.string(), error.message()));
  }
  return base::WriteFileAtomically(scratch / "hosts", HostFile(plan, base::HostName()));
}

}  // namespace

absl::StatusOr<MpirunProcess> StartMpirun(const v1::LaunchPlan& plan,
                                          const std::filesystem::path& attempt_folder,
                                          const std::filesystem::path& scratch) {
  LTML_RETURN_IF_ERROR(PrepareHosts(plan, scratch));
  int output[2];
  int report[2];
  if (::pipe2(output, O_CLOEXEC) != 0 || ::pipe2(report, O_CLOEXEC) != 0) {
    return absl::InternalError(fmt::format("cannot make a pipe: {}", base::Reason(errno)));
  }
  MpirunProcess result{.output = base::Descriptor(output[0])};
  const base::Descriptor output_end(output[1]);
  const base::Descriptor report_start(report[0]);
  base::Descriptor report_end(report[1]);
  const std::vector<std::string> arguments = Arguments(plan, attempt_folder, scratch);
  result.process = ForkBound();
  if (result.process == 0) {
    ExecMpirun(arguments, attempt_folder, {output_end.number(), report_end.number()});
  }
  if (result.process < 0)
    return absl::InternalError(fmt::format("cannot fork: {}", base::Reason(errno)));
  report_end.Close();
  int error = 0;
  if (::read(report_start.number(), &error, sizeof error) == sizeof error) {
    return absl::NotFoundError(
        fmt::format("cannot start mpirun: {}; install Open MPI (Debian package openmpi-bin)",
                    base::Reason(error)));
  }
  return result;
}

}  // namespace ltml::launch
