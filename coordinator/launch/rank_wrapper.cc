#include "coordinator/launch/rank_wrapper.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "common/base/descriptor.h"
#include "common/base/files.h"
#include "common/base/system.h"
#include "coordinator/launch/logged_pipe.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/run_lock.h"

namespace ltml::launch {
namespace {

constexpr int kFailed = 127;

int Fail(const std::string& message) {
  fmt::print(stderr, "ltml-supervisor --rank: {}\n", message);
  return kFailed;
}

int Become(char** arguments) {
  ::execv(arguments[0], arguments);
  return Fail(fmt::format("cannot run '{}': {}", arguments[0], base::Reason(errno)));
}

[[noreturn]] void EndAs(int status) {
  if (!WIFSIGNALED(status)) ::_exit(WEXITSTATUS(status));
  const rlimit none{};
  ::setrlimit(RLIMIT_CORE, &none);  // the program has left one, if any
  const int number = WTERMSIG(status);
  ::signal(number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  ::sigprocmask(SIG_SETMASK, &set, nullptr);
  ::kill(::getpid(), number);
  ::_exit(128 + number);
}

struct Child {
  pid_t process = -1;
  LoggedPipe output;
};

// Whatever output comes until the child has ended, and what it left in the pipe.
int KeepLog(Child child, const base::Descriptor& signals) {
  int status = 0;
  while (::waitpid(child.process, &status, WNOHANG) == 0) {
    pollfd entries[] = {{signals.number(), POLLIN, 0}, {child.output.number(), POLLIN, 0}};
    ::poll(entries, 2, -1);
    if (entries[1].revents != 0) child.output.Read();
    signalfd_siginfo info{};
    while (::read(signals.number(), &info, sizeof info) == sizeof info) {
    }
  }
  child.output.Close();
  return status;
}

// mpirun's daemon sends signals to the whole process group, so the program gets them itself.
base::Descriptor HoldSignals(sigset_t& before) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) {
    sigaddset(&set, number);
  }
  ::sigprocmask(SIG_BLOCK, &set, &before);
  return base::Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

int KeepRank(const std::filesystem::path& log, char** arguments) {
  int ends[2];
  sigset_t before;
  const base::Descriptor signals = HoldSignals(before);
  if (!signals.open() || ::pipe2(ends, O_CLOEXEC) != 0) return Fail(base::Reason(errno));
  LoggedPipe output(base::Descriptor(ends[0]), log);
  base::Descriptor output_end(ends[1]);
  const pid_t self = ::getpid();
  const pid_t process = ::fork();
  if (process < 0) return Fail(fmt::format("cannot fork: {}", base::Reason(errno)));
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != self) ::_exit(kFailed);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::dup2(output_end.number(), STDOUT_FILENO);
    ::dup2(output_end.number(), STDERR_FILENO);
    ::_exit(Become(arguments));
  }
  output_end.Close();
  EndAs(KeepLog({process, std::move(output)}, signals));
}

// Whoever takes in an orphan is not called so.
bool IsDaemon(pid_t process) {
  return base::ReadFile(fmt::format("/proc/{}/comm", process), 4096).value_or("") == "orted\n";
}

}  // namespace

int RunRank(char** arguments) {
  const pid_t parent = ::getppid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
  const char* attempt = std::getenv(kAttemptVariable);
  const char* mpirun = std::getenv("LTML_MPIRUN");
  const bool beside_supervisor = mpirun != nullptr && std::atol(mpirun) == parent;
  if (rank == nullptr || attempt == nullptr || ::getppid() != parent ||
      (!beside_supervisor && !IsDaemon(parent))) {
    return Fail("it is for mpirun only, and mpirun is gone");
  }
  if (beside_supervisor) {
    JoinRankPipe(RankPipe(ScratchFolder(attempt), std::atoi(rank)));
    return Become(arguments + 1);
  }
  return KeepRank(std::filesystem::path(arguments[0]) / fmt::format("rank-{}.log", std::atoi(rank)),
                  arguments + 1);
}

}  // namespace ltml::launch
