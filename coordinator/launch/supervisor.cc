#include "coordinator/launch/supervisor.h"

#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/base/host_name.h"
#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/base/system.h"
#include "coordinator/launch/control_socket.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/identity.h"
#include "coordinator/launch/logged_pipe.h"
#include "coordinator/launch/mpirun_process.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/remote_sweep.h"
#include "coordinator/launch/run_lock.h"
#include "ltml/v1/run.pb.h"

namespace ltml::launch {
namespace {

using Clock = std::chrono::steady_clock;
using base::Log;
using base::LogLevel;
using std::chrono::milliseconds;

// A process that SIGKILL does not end within this time is stuck in the kernel.
constexpr std::chrono::seconds kSweepLimit(30);

// How far the end of an attempt has come.
enum class Stage { kRunning, kAsked, kTerminated, kKilled };

class Supervisor {
 public:
  Supervisor(std::filesystem::path attempt_folder, v1::LaunchPlan plan, base::Descriptor control)
      : attempt_folder_(std::move(attempt_folder)),
        plan_(std::move(plan)),
        scratch_(ScratchFolder(plan_.launch_id())),
        control_(std::move(control), plan_.outlives_owner()) {}

  int Run();

 private:
  absl::Status Start();
  absl::Status PrepareSignals();
  absl::Status MakeScratch();
  absl::Status BecomeAdoptable();
  absl::Status TakeLock();
  absl::Status MakeRankPipes();
  void Loop();
  int PollTimeout() const;
  void OnSignals();
  void OnControl();
  void OnDeadline();
  void Reap();
  void BeginStop(const StopRequest& request);
  void Enter(Stage stage, int signal);
  int SweepAll();
  void Finish();

  const std::filesystem::path attempt_folder_;
  const v1::LaunchPlan plan_;
  const std::filesystem::path scratch_;
  ControlSocket control_;
  base::Descriptor signals_;
  std::vector<LoggedPipe> outputs_;  // of the ranks here, then mpirun's own
  std::optional<RunLock> lock_;
  pid_t mpirun_ = -1;
  bool mpirun_ended_ = false;
  Stage stage_ = Stage::kRunning;
  std::optional<Clock::time_point> stage_end_;
  v1::ExitRecord record_;
};

absl::Status Supervisor::PrepareSignals() {
  ::setsid();  // fails when it leads a session already, which is as good
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    return absl::InternalError(fmt::format("cannot become a subreaper: {}", base::Reason(errno)));
  }
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = base::Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_.open()) {
    return absl::InternalError(fmt::format("cannot receive signals: {}", base::Reason(errno)));
  }
  return absl::OkStatus();
}

absl::Status Supervisor::MakeRankPipes() {
  int rank = 0;
  for (const v1::LaunchPlan::Host& host : plan_.hosts()) {
    for (const int end = rank + host.ranks(); rank < end; ++rank) {
      if (host.remote()) continue;
      auto pipe = LoggedPipe::CreateNamed(RankPipe(scratch_, rank),
                                          attempt_folder_ / fmt::format("rank-{}.log", rank));
      if (!pipe.ok()) return pipe.status();
      outputs_.push_back(*std::move(pipe));
    }
  }
  return absl::OkStatus();
}

absl::Status Supervisor::MakeScratch() {
  if (::mkdir(scratch_.c_str(), 0700) == 0) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("cannot create '{}': {}", scratch_.string(), base::Reason(errno)));
}

// Before the lock, for which it may have to wait long.
absl::Status Supervisor::BecomeAdoptable() {
  LTML_RETURN_IF_ERROR(control_.Listen(scratch_ / "control"));
  const ProcessIdentity self = IdentityOf(::getpid());
  v1::SupervisorRecord record;
  record.set_attempt_epoch(plan_.attempt_epoch());
  record.set_process_id(self.process);
  record.set_start_ticks(self.start_ticks);
  record.set_boot_id(self.boot_id);
  record.set_launch_id(plan_.launch_id());
  record.set_control_socket((scratch_ / "control").string());
  record.set_host(base::HostName());
  return base::WriteJsonFile(attempt_folder_ / "supervisor.json", record);
}

absl::Status Supervisor::TakeLock() {
  auto lock = RunLock::Take({.run_folder = plan_.run_folder(),
                             .attempt_id = plan_.launch_id(),
                             .attempt_epoch = plan_.attempt_epoch(),
                             .wait = milliseconds(plan_.lock_wait_milliseconds()),
                             .abandoned = [this] {
                               OnControl();
                               OnSignals();
                               return stage_ != Stage::kRunning;
                             }});
  if (!lock.ok()) return lock.status();
  lock_ = *std::move(lock);
  return absl::OkStatus();
}

absl::Status Supervisor::Start() {
  LTML_RETURN_IF_ERROR(PrepareSignals());
  if (plan_.outlives_owner()) {
    LTML_RETURN_IF_ERROR(MakeScratch());
    LTML_RETURN_IF_ERROR(BecomeAdoptable());
  }
  LTML_RETURN_IF_ERROR(TakeLock());
  if (!plan_.outlives_owner()) LTML_RETURN_IF_ERROR(MakeScratch());
  LTML_RETURN_IF_ERROR(MakeRankPipes());
  LTML_ASSIGN_OR_RETURN(MpirunProcess mpirun, StartMpirun(plan_, attempt_folder_, scratch_));
  mpirun_ = mpirun.process;
  outputs_.emplace_back(std::move(mpirun.output), attempt_folder_ / "mpirun.log");
  return absl::OkStatus();
}

void Supervisor::Enter(Stage stage, int signal) {
  stage_ = stage;
  stage_end_ = Clock::now() + milliseconds(plan_.stop_grace_milliseconds());
  if (mpirun_ > 0 && !mpirun_ended_) ::kill(mpirun_, signal);
}

void Supervisor::BeginStop(const StopRequest& request) {
  if (mpirun_ended_) return;
  if (stage_ == Stage::kRunning) {
    Log(LogLevel::kInfo, "attempt_stopping", "reason={} at_once={}", base::LogValue(request.reason),
        request.at_once);
    record_.set_stop_reason(request.reason);
    if (!request.at_once) Enter(Stage::kAsked, SIGUSR1);
  }
  if (request.at_once && (stage_ == Stage::kRunning || stage_ == Stage::kAsked)) {
    Enter(Stage::kTerminated, SIGTERM);
  }
}

void Supervisor::OnDeadline() {
  if (!stage_end_ || Clock::now() < *stage_end_) return;
  Log(LogLevel::kWarning, "stop_escalated", "to={}",
      stage_ == Stage::kAsked ? "SIGTERM" : "SIGKILL");
  if (stage_ == Stage::kAsked) {
    Enter(Stage::kTerminated, SIGTERM);
  } else {
    stage_ = Stage::kKilled;
  }
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
          {fmt::format("the supervisor got {}", ::strsignal(static_cast<int>(info.ssi_signo))),
           true});
    }
  }
  Reap();
}

void Supervisor::OnControl() {
  if (const auto request = control_.Read()) BeginStop(*request);
}

int Supervisor::PollTimeout() const {
  if (!stage_end_) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*stage_end_ - Clock::now());
  return static_cast<int>(std::max<int64_t>(left.count(), 0));
}

void Supervisor::Loop() {
  while (!mpirun_ended_ && stage_ != Stage::kKilled) {
    // Closed ones have number -1, which poll leaves out.
    std::vector<pollfd> entries = {pollfd{signals_.number(), POLLIN, 0}};
    for (const LoggedPipe& pipe : outputs_) entries.push_back({pipe.number(), POLLIN, 0});
    control_.AddTo(entries);
    ::poll(entries.data(), entries.size(), PollTimeout());
    OnControl();
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (entries[i + 1].revents != 0) outputs_[i].Read();
    }
    if (entries[0].revents != 0) OnSignals();
    OnDeadline();
  }
}

// Here first: without mpirun its daemons elsewhere go by themselves.
int Supervisor::SweepAll() {
  const AttemptMark mark{.id = plan_.launch_id(), .supervisor = ::getpid()};
  Sweep sweep = EndProcesses(mark, kSweepLimit);
  if (mpirun_ > 0 && !mpirun_ended_) Reap();
  if (mpirun_ > 0 && !RemoteAddresses(plan_).empty()) {
    for (const std::string& failure : SweepHosts(plan_, attempt_folder_, IdentityOf(::getpid()))) {
      record_.add_unswept_hosts(failure);
    }
  }
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  for (const pid_t process : sweep.left) {
    Log(LogLevel::kError, "process_left", "pid={} reason=\"SIGKILL does not end it\"", process);
  }
  return static_cast<int>(sweep.killed.size());
}

void Supervisor::Finish() {
  record_.set_swept_processes(SweepAll());
  for (LoggedPipe& pipe : outputs_) pipe.Close();
  std::error_code ignored;
  std::filesystem::remove_all(scratch_, ignored);
  record_.set_ended_unix_milliseconds(base::UnixMilliseconds());
  if (const auto written = base::WriteJsonFile(attempt_folder_ / "exit.json", record_);
      !written.ok()) {
    Log(LogLevel::kError, "exit_record_lost", "reason={}",
        base::LogValue(std::string(written.message())));
  }
  Log(LogLevel::kInfo, "attempt_ended", "exit_status={} signal={} swept={}", record_.exit_status(),
      record_.signal(), record_.swept_processes());
}

int Supervisor::Run() {
  record_.set_attempt_epoch(plan_.attempt_epoch());
  record_.set_started_unix_milliseconds(base::UnixMilliseconds());
  const absl::Status started = Start();
  if (started.ok()) {
    Log(LogLevel::kInfo, "mpirun_started", "pid={} ranks={}", mpirun_, RankCount(plan_));
    control_.Tell("started");
    Loop();
    Finish();
    return 0;
  }
  const std::string message(started.message());
  Log(LogLevel::kError, "attempt_not_started", "reason={}", base::LogValue(message));
  mpirun_ended_ = true;
  record_.set_not_started(stage_ != Stage::kRunning);
  record_.set_exit_status(-1);
  record_.set_stop_reason(message);
  Finish();
  control_.Tell(
      fmt::format("{} {}", absl::IsFailedPrecondition(started) ? "locked" : "failed", message));
  return 1;
}

}  // namespace

int Supervise(const SupervisorOptions& options) {
  base::Descriptor control(options.control);
  v1::LaunchPlan plan;
  const auto read = base::ReadJsonFile(options.attempt_folder / "launch.json", &plan);
  if (read.ok()) return Supervisor(options.attempt_folder, plan, std::move(control)).Run();
  Log(LogLevel::kError, "plan_unreadable", "reason={}",
      base::LogValue(std::string(read.message())));
  return 1;
}

}  // namespace ltml::launch
