#include "worker/session/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/host_name.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "worker/session/lease_watch.h"
#include "worker/session/link.h"
#include "worker/session/messages.h"
#include "worker/session/time_sums.h"

namespace ltml::session {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::nanoseconds kLongestBeat = std::chrono::seconds(1);
constexpr std::chrono::nanoseconds kShortestBeat = std::chrono::milliseconds(20);
constexpr int kBeatsPerLease = 5;
constexpr std::chrono::nanoseconds kCloseLimit = std::chrono::seconds(5);
constexpr int64_t kGrantsKept = 3;
// absl waits on the system clock, which may jump: short waits keep the steady clock in charge.
constexpr std::chrono::nanoseconds kLongestWait = std::chrono::milliseconds(500);

std::chrono::nanoseconds BeatOf(std::chrono::nanoseconds lease) {
  return std::clamp(lease / kBeatsPerLease, kShortestBeat, kLongestBeat);
}

class ConnectedSession final : public Session {
 public:
  explicit ConnectedSession(const SessionOptions& options)
      : options_(options),
        link_({.address = options.coordinator,
               .authority = options.authority,
               .hello = [this] { return Hello(); },
               .beat = BeatOf(options.lease),
               .heartbeat = [this] { return ProgressMessage(); },
               .receive = [this](const v1::CoordinatorMessage& message) { Receive(message); }}) {}

  ~ConnectedSession() override;

  absl::Status Connect();

  absl::StatusOr<train::Grant> Await(int64_t window, std::chrono::nanoseconds timeout) override;
  void Report(int64_t window, const statistics::WindowSums& sums) override;
  void Progress(train::Phase phase, int64_t counter, int64_t step) override;
  void Step(const train::StepReport& report) override;
  void Times(const train::RankTimes& times) override;
  train::Command Poll() override;
  absl::Status ConfirmCheckpoint(int64_t step, std::chrono::nanoseconds timeout) override;
  void CheckpointDone(int64_t step, const std::string& folder) override;
  void EvaluationDone(const v1::Report& report) override;
  void Fail(v1::FailureCause cause, const std::string& message) override;
  void Finish(const v1::Finished& finished) override;

 private:
  v1::WorkerMessage Hello() const;
  v1::WorkerMessage ProgressMessage() const;
  void Receive(const v1::CoordinatorMessage& message);
  void ReceiveGrant(const v1::Grant& proto);
  void ReceiveCommand(const v1::Command& command);
  void End(const std::string& reason);
  void Over(const std::string& reason);
  void Close(v1::WorkerMessage message, std::chrono::nanoseconds limit);
  template <typename Condition>
  bool AwaitUntil(Clock::time_point deadline, const Condition& condition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const SessionOptions options_;
  std::atomic<train::Phase> phase_{train::Phase::kStart};
  std::atomic<int64_t> counter_{0}, step_{0};
  std::atomic<int64_t> last_command_{0};  // id
  TimeSums times_;

  absl::Mutex mutex_;
  bool accepted_ ABSL_GUARDED_BY(mutex_) = false;
  std::string over_ ABSL_GUARDED_BY(mutex_);  // why the attempt is over; empty while it is not
  std::map<int64_t, train::Grant> grants_ ABSL_GUARDED_BY(mutex_);
  std::deque<train::Command> commands_ ABSL_GUARDED_BY(mutex_);
  int64_t confirmed_step_ ABSL_GUARDED_BY(mutex_) = -1;
  std::unique_ptr<LeaseWatch> watch_ ABSL_GUARDED_BY(mutex_);
  // Last: its threads use all of the above.
  Link link_;
};

ConnectedSession::~ConnectedSession() {
  std::unique_ptr<LeaseWatch> watch;
  {
    absl::MutexLock lock(&mutex_);
    watch = std::move(watch_);
  }
  // Its thread may be about to stop the link, so it goes first, and outside the lock.
  watch.reset();
}

absl::Status ConnectedSession::Connect() {
  const auto deadline = Clock::now() + options_.connect_limit;
  LTML_RETURN_IF_ERROR(link_.Connect(options_.connect_limit));
  absl::MutexLock lock(&mutex_);
  AwaitUntil(deadline, [this] { return accepted_ || !over_.empty(); });
  if (!over_.empty()) return absl::AbortedError(over_);
  if (!accepted_) {
    return absl::DeadlineExceededError(
        fmt::format("the coordinator at {} did not accept rank {} within limits.start",
                    options_.coordinator, options_.rank));
  }
  watch_ = std::make_unique<LeaseWatch>(options_.lease, options_.exit_grace,
                                        [this](const std::string& reason) { Over(reason); });
  return absl::OkStatus();
}

template <typename Condition>
bool ConnectedSession::AwaitUntil(Clock::time_point deadline, const Condition& condition) {
  while (!condition()) {
    const std::chrono::nanoseconds left = deadline - Clock::now();
    if (left <= std::chrono::nanoseconds(0)) return false;
    mutex_.AwaitWithTimeout(absl::Condition(&condition),
                            absl::FromChrono(std::min(left, kLongestWait)));
  }
  return true;
}

absl::StatusOr<train::Grant> ConnectedSession::Await(int64_t window,
                                                     std::chrono::nanoseconds timeout) {
  if (!options_.training) {
    return absl::FailedPreconditionError("an evaluation has no windows to wait for");
  }
  const auto deadline = Clock::now() + timeout;
  absl::MutexLock lock(&mutex_);
  const bool came =
      AwaitUntil(deadline, [&] { return !over_.empty() || grants_.count(window) > 0; });
  if (!over_.empty()) return absl::AbortedError(over_);
  if (came) return grants_.at(window);
  return absl::DeadlineExceededError(fmt::format(
      "rank {} got no grant for window {} within {:.3g} s (newest: {}): another rank is behind, or "
      "limits.grant is too short",
      options_.rank, window, std::chrono::duration<double>(timeout).count(),
      grants_.empty() ? -1 : grants_.rbegin()->first));
}

void ConnectedSession::Report(int64_t window, const statistics::WindowSums& sums) {
  link_.SendReport(ReportMessage(options_, window, sums));
}

void ConnectedSession::Progress(train::Phase phase, int64_t counter, int64_t step) {
  phase_.store(phase, std::memory_order_relaxed);
  counter_.store(counter, std::memory_order_relaxed);
  step_.store(step, std::memory_order_relaxed);
}

v1::WorkerMessage ConnectedSession::Hello() const {
  v1::WorkerMessage message = HelloMessage(options_);
  message.mutable_hello()->set_last_command_id(last_command_.load());
  return message;
}

v1::WorkerMessage ConnectedSession::ProgressMessage() const {
  v1::WorkerMessage message = MessageOf(options_);
  v1::Progress& progress = *message.mutable_progress();
  progress.set_phase(ToProto(phase_.load(std::memory_order_relaxed)));
  progress.set_counter(counter_.load(std::memory_order_relaxed));
  progress.set_step(step_.load(std::memory_order_relaxed));
  progress.set_last_command_id(last_command_.load());
  *progress.mutable_times() = times_.ToProto();
  return message;
}

void ConnectedSession::Step(const train::StepReport& report) {
  v1::WorkerMessage message = ProgressMessage();
  *message.mutable_progress()->mutable_metrics() = ToProto(report);
  link_.Send(std::move(message));
}

void ConnectedSession::Times(const train::RankTimes& times) { times_.Add(times); }

train::Command ConnectedSession::Poll() {
  absl::MutexLock lock(&mutex_);
  if (commands_.empty()) return train::Command::kNone;
  const train::Command command = commands_.front();
  commands_.pop_front();
  return command;
}

absl::Status ConnectedSession::ConfirmCheckpoint(int64_t step, std::chrono::nanoseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  {
    absl::MutexLock lock(&mutex_);
    confirmed_step_ = -1;
  }
  v1::WorkerMessage message = MessageOf(options_);
  message.mutable_checkpoint_ready()->set_step(step);
  link_.Send(std::move(message));
  absl::MutexLock lock(&mutex_);
  const bool confirmed =
      AwaitUntil(deadline, [&] { return !over_.empty() || confirmed_step_ == step; });
  if (!over_.empty()) return absl::AbortedError(over_);
  if (confirmed) return absl::OkStatus();
  return absl::DeadlineExceededError(fmt::format(
      "the coordinator at {} did not confirm the checkpoint of step {} within {:.3g} s: is it "
      "overloaded, or limits.checkpoint too short?",
      options_.coordinator, step, std::chrono::duration<double>(timeout).count()));
}

void ConnectedSession::CheckpointDone(int64_t step, const std::string& folder) {
  v1::WorkerMessage message = MessageOf(options_);
  message.mutable_checkpoint_done()->set_step(step);
  message.mutable_checkpoint_done()->set_folder(folder);
  link_.Send(std::move(message));
}

void ConnectedSession::EvaluationDone(const v1::Report& report) {
  v1::WorkerMessage message = MessageOf(options_);
  *message.mutable_evaluation_done()->mutable_report() = report;
  link_.Send(std::move(message));
}

void ConnectedSession::Fail(v1::FailureCause cause, const std::string& text) {
  v1::WorkerMessage message = MessageOf(options_);
  v1::Failure& failure = *message.mutable_failure();
  failure.set_cause(cause);
  failure.set_rank(options_.rank);
  failure.set_host(base::HostName());
  failure.set_phase(ToProto(phase_.load()));
  failure.set_step(step_.load());
  failure.set_message(text);
  Close(std::move(message), kCloseLimit);
}

void ConnectedSession::Finish(const v1::Finished& finished) {
  v1::WorkerMessage message = MessageOf(options_);
  *message.mutable_finished() = finished;
  // A rank that succeeded outlasts what its lease outlasts: a coordinator that stood still.
  Close(std::move(message), std::max(kCloseLimit, options_.lease));
}

void ConnectedSession::Close(v1::WorkerMessage message, std::chrono::nanoseconds limit) {
  {
    absl::MutexLock lock(&mutex_);
    if (!over_.empty()) return;
  }
  link_.Send(ProgressMessage());  // with the last times
  const absl::Status closed = link_.Close(std::move(message), limit);
  if (!closed.ok()) {
    base::Log(base::LogLevel::kWarning, "last_message_lost", "reason={}",
              base::LogValue(std::string(closed.message())));
  }
  absl::MutexLock lock(&mutex_);
  if (watch_ != nullptr) watch_->Rest();
}

void ConnectedSession::Receive(const v1::CoordinatorMessage& message) {
  if (message.has_refusal()) {
    return End(fmt::format("the coordinator refused rank {}: {}", options_.rank,
                           message.refusal().reason()));
  }
  if (message.attempt_epoch() != options_.attempt_epoch) {
    return End(fmt::format("the coordinator speaks of attempt epoch {}, this rank belongs to {}",
                           message.attempt_epoch(), options_.attempt_epoch));
  }
  {
    absl::MutexLock lock(&mutex_);
    accepted_ = true;
    if (watch_ != nullptr) watch_->Renew();
  }
  if (message.has_grant()) ReceiveGrant(message.grant());
  if (message.has_command()) ReceiveCommand(message.command());
  if (message.has_checkpoint_confirmed()) {
    absl::MutexLock lock(&mutex_);
    confirmed_step_ = message.checkpoint_confirmed().step();
  }
}

void ConnectedSession::ReceiveGrant(const v1::Grant& proto) {
  absl::StatusOr<train::Grant> grant = FromProto(proto, options_.classes);
  if (!grant.ok()) {
    return End(fmt::format("the grant of window {} cannot be read: {}", proto.window(),
                           std::string(grant.status().message())));
  }
  link_.Acknowledge(proto.window() - 2);
  absl::MutexLock lock(&mutex_);
  grants_.emplace(proto.window(), *std::move(grant));
  while (static_cast<int64_t>(grants_.size()) > kGrantsKept) grants_.erase(grants_.begin());
}

void ConnectedSession::ReceiveCommand(const v1::Command& command) {
  absl::MutexLock lock(&mutex_);
  if (command.id() <= last_command_.load()) return;  // sent again
  if (command.kind() == v1::Command::KIND_CHECKPOINT) {
    commands_.push_back(train::Command::kCheckpoint);
  }
  if (command.kind() == v1::Command::KIND_STOP) commands_.push_back(train::Command::kStop);
  last_command_.store(command.id());
}

void ConnectedSession::End(const std::string& reason) {
  Over(reason);
  absl::MutexLock lock(&mutex_);
  if (watch_ != nullptr) watch_->End(reason);
}

void ConnectedSession::Over(const std::string& reason) {
  {
    absl::MutexLock lock(&mutex_);
    if (over_.empty()) over_ = reason;
  }
  link_.Stop();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const SessionOptions& options) {
  auto session = std::make_unique<ConnectedSession>(options);
  LTML_RETURN_IF_ERROR(session->Connect());
  return session;
}

}  // namespace ltml::session
