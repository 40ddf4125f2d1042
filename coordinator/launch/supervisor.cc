#include "coordinator/launch/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "coordinator/launch/descriptor.h"
#include "coordinator/launch/logged_pipe.h"
#include "coordinator/launch/mpirun_command.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/run_lock.h"
#include "ltml/v1/run.pb.h"

namespace ltml::launch {
namespace {

using Clock = std::chrono::steady_clock;
using base::Log;
using base::LogLevel;

// A process that SIGKILL does not end within this time is stuck in the kernel.
constexpr std::chrono::seconds kSweepLimit(30);

int64_t UnixMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string Reason(int error) { return std::generic_category().message(error); }

// A process that the kernel ends with its parent, whatever ends that.
pid_t ForkBound() {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  return 0;
}

class Supervisor {
 public:
  explicit Supervisor(const SupervisorOptions& options)
      : options_(options), attempt_id_(std::getenv(kAttemptVariable)), control_(options.control) {}

  int Run();

 private:
  absl::Status Start();
  absl::Status PrepareSignals();
  absl::Status MakeRankPipes();
  absl::Status StartMpirun();
  [[noreturn]] void ExecMpirun(std::vector<std::string> arguments, int output, int error_report);
  void Loop();
  int PollTimeout() const;
  void OnSignals();
  void OnControl();
  void Reap();
  void BeginStop(const std::string& reason);
  bool OwnerIsGone();
  void Tell(std::string_view line);
  void Finish();

  const SupervisorOptions options_;
  const std::string attempt_id_;
  Descriptor control_;
  Descriptor signals_;
  std::vector<LoggedPipe> outputs_;  // of the ranks, then mpirun's own
  std::optional<RunLock> lock_;
  std::filesystem::path scratch_;
  std::string control_text_;
  pid_t mpirun_ = -1;
  bool mpirun_ended_ = false;
  std::optional<Clock::time_point> kill_at_;
  v1::ExitRecord record_;
};

absl::Status Supervisor::PrepareSignals() {
  ::setsid();  // fails when it leads a session already, which is as good
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    return absl::InternalError(fmt::format("cannot become a subreaper: {}", Reason(errno)));
  }
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_.open()) {
    return absl::InternalError(fmt::format("cannot receive signals: {}", Reason(errno)));
  }
  return absl::OkStatus();
}

void Supervisor::ExecMpirun(std::vector<std::string> arguments, int output, int error_report) {
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::setenv("LTML_MPIRUN", fmt::format("{}", ::getpid()).c_str(), 1);
  arguments.insert(arguments.begin(), "mpirun");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  // Debian's `mpirun` may be another MPI's.
  ::execvp("mpirun.openmpi", pointers.data());
  ::execvp("mpirun", pointers.data());
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(error_report, &error, sizeof error);
  ::_exit(127);
}

absl::Status Supervisor::MakeRankPipes() {
  for (int rank = 0; rank < options_.ranks; ++rank) {
    auto pipe = LoggedPipe::CreateNamed(RankPipe(scratch_, rank),
                                        options_.attempt_folder / fmt::format("rank-{}.log", rank));
    if (!pipe.ok()) return pipe.status();
    outputs_.push_back(*std::move(pipe));
  }
  return absl::OkStatus();
}

absl::Status Supervisor::StartMpirun() {
  int output[2];
  int report[2];
  if (::pipe2(output, O_CLOEXEC) != 0 || ::pipe2(report, O_CLOEXEC) != 0) {
    return absl::InternalError(fmt::format("cannot make a pipe: {}", Reason(errno)));
  }
  outputs_.emplace_back(Descriptor(output[0]), options_.attempt_folder / "mpirun.log");
  const Descriptor output_end(output[1]);
  const Descriptor report_start(report[0]);
  Descriptor report_end(report[1]);
  const std::vector<std::string> arguments =
      MpirunArguments({.ranks = options_.ranks,
                       .root = ::geteuid() == 0,
                       .scratch = scratch_,
                       .rank_wrapper = std::filesystem::read_symlink("/proc/self/exe"),
                       .worker = options_.worker,
                       .task_file = options_.attempt_folder / "task.json"});
  mpirun_ = ForkBound();
  if (mpirun_ == 0) ExecMpirun(arguments, output_end.number(), report_end.number());
  if (mpirun_ < 0) return absl::InternalError(fmt::format("cannot fork: {}", Reason(errno)));
  report_end.Close();
  int error = 0;
  if (::read(report_start.number(), &error, sizeof error) == sizeof error) {
    return absl::NotFoundError(fmt::format(
        "cannot start mpirun: {}; install Open MPI (Debian package openmpi-bin)", Reason(error)));
  }
  return absl::OkStatus();
}

absl::Status Supervisor::Start() {
  LTML_RETURN_IF_ERROR(PrepareSignals());
  auto lock = RunLock::Take({.run_folder = options_.run_folder,
                             .attempt_id = attempt_id_,
                             .attempt_epoch = options_.attempt_epoch,
                             .wait = options_.lock_wait,
                             .abandoned = [this] { return OwnerIsGone(); }});
  if (!lock.ok()) return lock.status();
  lock_ = *std::move(lock);
  scratch_ = ScratchFolder(attempt_id_);
  if (::mkdir(scratch_.c_str(), 0700) != 0) {
    return absl::InternalError(
        fmt::format("cannot create '{}': {}", scratch_.string(), Reason(errno)));
  }
  LTML_RETURN_IF_ERROR(MakeRankPipes());
  return StartMpirun();
}

bool Supervisor::OwnerIsGone() {
  pollfd entry{.fd = control_.number(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&entry, 1, 0) > 0;
}

void Supervisor::Tell(std::string_view line) {
  const std::string text = fmt::format("{}\n", line);
  // The owner may be gone, which the control socket then says.
  [[maybe_unused]] const ssize_t sent =
      ::send(control_.number(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Supervisor::BeginStop(const std::string& reason) {
  if (kill_at_.has_value() || mpirun_ended_) return;
  Log(LogLevel::kInfo, "attempt_stopping", "reason={}", base::LogValue(reason));
  record_.set_stop_reason(reason);
  kill_at_ = Clock::now() + options_.stop_grace;
  ::kill(mpirun_, SIGTERM);
}

void Supervisor::Reap() {
  int status = 0;
  for (pid_t child = ::waitpid(-1, &status, WNOHANG); child > 0;
       child = ::waitpid(-1, &status, WNOHANG)) {
    if (child != mpirun_) continue;
    mpirun_ended_ = true;
    if (WIFSIGNALED(status)) record_.set_signal(WTERMSIG(status));
    if (WIFEXITED(status)) record_.set_exit_status(WEXITSTATUS(status));
  }
}

void Supervisor::OnSignals() {
  signalfd_siginfo info{};
  while (::read(signals_.number(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGCHLD) {
      BeginStop(
          fmt::format("the supervisor got {}", ::strsignal(static_cast<int>(info.ssi_signo))));
    }
  }
  Reap();
}

void Supervisor::OnControl() {
  std::array<char, 4096> buffer;
  const ssize_t count = ::recv(control_.number(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    control_.Close();
    BeginStop("the program that started the attempt is gone");
    return;
  }
  control_text_.append(buffer.data(), static_cast<size_t>(count));
  const size_t end = control_text_.find('\n');
  if (end == std::string::npos || !control_text_.starts_with("stop")) return;
  const std::string line = control_text_.substr(0, end);
  BeginStop(line.substr(line.find(' ') + 1));
}

int Supervisor::PollTimeout() const {
  if (!kill_at_.has_value()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*kill_at_ - Clock::now());
  return static_cast<int>(std::max<int64_t>(left.count(), 0));
}

void Supervisor::Loop() {
  while (!mpirun_ended_) {
    // Closed ones have number -1, which poll leaves out.
    std::vector<pollfd> entries = {pollfd{signals_.number(), POLLIN, 0},
                                   pollfd{control_.number(), POLLIN, 0}};
    for (const LoggedPipe& pipe : outputs_) entries.push_back({pipe.number(), POLLIN, 0});
    ::poll(entries.data(), entries.size(), PollTimeout());
    if (entries[1].revents != 0) OnControl();
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (entries[i + 2].revents != 0) outputs_[i].Read();
    }
    if (entries[0].revents != 0) OnSignals();
    if (kill_at_.has_value() && Clock::now() >= *kill_at_) return;
  }
}

void Supervisor::Finish() {
  const AttemptMark mark{.id = attempt_id_, .supervisor = ::getpid()};
  const Sweep sweep = EndProcesses(mark, kSweepLimit);
  if (mpirun_ > 0 && !mpirun_ended_) Reap();
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  for (LoggedPipe& pipe : outputs_) pipe.Close();
  std::error_code ignored;
  std::filesystem::remove_all(scratch_, ignored);
  record_.set_swept_processes(static_cast<int>(sweep.killed.size()));
  record_.set_ended_unix_milliseconds(UnixMilliseconds());
  for (const pid_t process : sweep.left) {
    Log(LogLevel::kError, "process_left", "pid={} reason=\"SIGKILL does not end it\"", process);
  }
  if (const auto written = base::WriteJsonFile(options_.attempt_folder / "exit.json", record_);
      !written.ok()) {
    Log(LogLevel::kError, "exit_record_lost", "reason={}",
        base::LogValue(std::string(written.message())));
  }
  Log(LogLevel::kInfo, "attempt_ended", "exit_status={} signal={} swept={}", record_.exit_status(),
      record_.signal(), record_.swept_processes());
}

int Supervisor::Run() {
  record_.set_attempt_epoch(options_.attempt_epoch);
  record_.set_started_unix_milliseconds(UnixMilliseconds());
  const absl::Status started = Start();
  if (started.ok()) {
    Log(LogLevel::kInfo, "mpirun_started", "pid={} ranks={}", mpirun_, options_.ranks);
    Tell("started");
    Loop();
    Finish();
    return 0;
  }
  const std::string message(started.message());
  Log(LogLevel::kError, "attempt_not_started", "reason={}", base::LogValue(message));
  mpirun_ended_ = true;
  record_.set_exit_status(-1);
  record_.set_stop_reason(message);
  Finish();
  Tell(fmt::format("{} {}", absl::IsFailedPrecondition(started) ? "locked" : "failed", message));
  return 1;
}

}  // namespace

int Supervise(const SupervisorOptions& options) { return Supervisor(options).Run(); }

}  // namespace ltml::launch
