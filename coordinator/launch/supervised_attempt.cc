#include "coordinator/launch/supervised_attempt.h"

#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "common/base/system.h"
#include "coordinator/launch/control_socket.h"
#include "coordinator/launch/mpirun_report.h"
#include "coordinator/launch/run_lock.h"

namespace ltml::launch {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kStartLimit(30);
constexpr milliseconds kStartPoll(50);
constexpr std::chrono::seconds kSweepLimit(30);

// Waits until the descriptor is readable or at its end.
bool WaitReadable(int descriptor, Clock::time_point deadline) {
  while (true) {
    pollfd entry{descriptor, POLLIN, 0};
    const int64_t left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    const int ready = ::poll(&entry, 1, static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30)));
    if (ready > 0) return true;
    if (ready == 0 && Clock::now() >= deadline) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

SupervisedAttempt::~SupervisedAttempt() {
  if (!options_.outlives_owner) EndNow("the attempt is not wanted any more");
}

void SupervisedAttempt::EndNow(const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_.has_value()) return;
  }
  Stop(reason, true);
  if (Wait(options_.end_limit).ok()) return;
  // Frozen: the kernel ends mpirun and the ranks with it, and Wait the rest.
  ::syscall(SYS_pidfd_send_signal, supervisor_.watch.number(), SIGKILL, nullptr, 0);
  (void)Wait(kSweepLimit);
}

absl::StatusOr<v1::ExitRecord> SupervisedAttempt::Wait(std::chrono::nanoseconds timeout) {
  const std::lock_guard lock(mutex_);
  if (ended_.has_value()) return *ended_;
  if (!WaitReadable(supervisor_.watch.number(), Clock::now() + timeout)) {
    return absl::DeadlineExceededError(
        fmt::format("the attempt in '{}' has not ended", options_.attempt_folder.string()));
  }
  LTML_ASSIGN_OR_RETURN(ended_, ReadRecord());
  return *ended_;
}

void SupervisedAttempt::Stop(const std::string& reason, bool at_once) {
  const std::string line = StopLine({reason, at_once});
  if (supervisor_.control.open()) {
    // Fails only when the supervisor is gone.
    (void)::send(supervisor_.control.number(), line.data(), line.size(),
                 MSG_NOSIGNAL | MSG_DONTWAIT);
  } else {
    (void)::syscall(SYS_pidfd_send_signal, supervisor_.watch.number(), SIGTERM, nullptr, 0);
  }
}

// A child must not be waited for before the sweep: until then its process id marks the session.
absl::StatusOr<v1::ExitRecord> SupervisedAttempt::ReadRecord() {
  const Sweep sweep = EndProcesses(
      {.id = options_.launch_id, .supervisor = supervisor_.is_child ? supervisor_.process : 0},
      kSweepLimit);
  if (!sweep.left.empty()) {
    return absl::DeadlineExceededError(
        fmt::format("process {} of the attempt does not end", sweep.left.front()));
  }
  int status = 0;
  while (supervisor_.is_child && ::waitpid(supervisor_.process, &status, 0) < 0 && errno == EINTR) {
  }
  v1::ExitRecord record;
  if (base::ReadJsonFile(options_.attempt_folder / "exit.json", &record).ok()) return record;
  LostAttempt lost{.attempt_folder = options_.attempt_folder,
                   .attempt_epoch = options_.attempt_epoch,
                   .launch_id = options_.launch_id,
                   .reason = "the supervisor was killed"};
  if (supervisor_.is_child && WIFSIGNALED(status)) {
    lost.signal = WTERMSIG(status);
    lost.reason = fmt::format("the supervisor was killed by signal {}", lost.signal);
  } else if (supervisor_.is_child) {
    lost.reason =
        fmt::format("the supervisor ended with status {} and no exit record", WEXITSTATUS(status));
  }
  return RecordLost(lost, static_cast<int>(sweep.killed.size()));
}

// The end of the control socket frees a supervisor that waits for the lock.
absl::Status SupervisedAttempt::Abandon() {
  Stop("interrupted", true);
  ::shutdown(supervisor_.control.number(), SHUT_WR);
  return absl::CancelledError("interrupted before the attempt started");
}

absl::Status SupervisedAttempt::WaitForStart(std::chrono::nanoseconds lock_wait,
                                             const std::function<bool()>& abandoned) {
  const Clock::time_point deadline = Clock::now() + lock_wait + kStartLimit;
  const int control = supervisor_.control.number();
  std::string text;
  while (text.find('\n') == std::string::npos) {
    if (!WaitReadable(control, std::min(deadline, Clock::now() + kStartPoll))) {
      if (abandoned && abandoned()) return Abandon();
      if (Clock::now() < deadline) continue;
      return absl::DeadlineExceededError("the supervisor does not say that the attempt started");
    }
    std::array<char, 4096> buffer;
    const ssize_t count = ::recv(control, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return absl::InternalError(
          fmt::format("the supervisor ended before the attempt started: {}",
                      LogTail(options_.attempt_folder / "supervisor.log", 1000)));
    }
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  text.resize(text.find('\n'));
  if (text == "started") return absl::OkStatus();
  const std::string message = text.substr(text.find(' ') + 1);
  return text.starts_with("locked ") ? absl::FailedPreconditionError(message)
                                     : absl::InternalError(message);
}

}  // namespace ltml::launch
