#include "absl/status/status.h"
#include "common/base/log.h"
#include "coordinator/service/manager.h"

namespace ltml::service {
namespace {

constexpr std::chrono::seconds kRetryPause{1};

jobs::JobPhase PhaseOf(const v1::Job& job) { return {job.state(), job.stop_goal()}; }

}  // namespace

absl::StatusOr<Manager::Step> Manager::Move(const Entry& entry, const NewState& state) const {
  const auto next = jobs::Transition(PhaseOf(entry.job), state.trigger);
  if (!next.ok()) return next.status();
  Step step;
  step.job = entry.job;
  step.job.set_step(std::max(entry.job.step(), entry.live_step));
  v1::JobEvent& event = AddEvent(step, entry);
  const google::protobuf::Timestamp& now = event.time();
  if (step.job.state() != next->state) *step.job.mutable_state_time() = now;
  step.job.set_state(next->state);
  step.job.set_stop_goal(next->stop_goal);
  if (jobs::IsTerminal(next->state)) *step.job.mutable_end_time() = now;
  auto& change = *event.mutable_state_change();
  change.set_trigger(state.trigger);
  change.set_from(entry.job.state());
  change.set_to(next->state);
  change.set_stop_goal(next->stop_goal);
  change.set_reason(state.reason);
  return step;
}

v1::JobEvent& Manager::AddEvent(Step& step, const Entry& entry) const {
  v1::JobEvent& event = step.change.events.emplace_back();
  *event.mutable_time() = ToTimestamp(Now());
  event.set_attempt_epoch(entry.job.attempt_epoch());
  return event;
}

void Manager::EnqueueOwn(Entry& entry, Decide decide) {
  Op op;
  op.retry = true;
  op.decide = std::move(decide);
  Enqueue(entry, std::move(op));
}

void Manager::Enqueue(Entry& entry, Op op) {
  if (!op.retry && entry.retry_at) {
    Reply(op.done, absl::UnavailableError("the store takes no changes now; try again later"));
    if (op.dropped) op.dropped(entry);
    return;
  }
  entry.ops.push_back(std::move(op));
  RunOps(entry);
}

// While the server ends nothing new is begun: its commit would be dropped, and waited for for ever.
void Manager::RunOps(Entry& entry) {
  while (!ending_ && !entry.busy && !entry.retry_at && !entry.ops.empty()) {
    auto step = entry.ops.front().decide(entry);
    if (step.ok() && step->has_value()) {
      CommitStep(entry, **std::move(step));
      return;
    }
    const Op op = std::move(entry.ops.front());
    entry.ops.pop_front();
    if (step.ok()) {
      Reply(op.done, View(entry));
    } else {
      Reply(op.done, step.status());
    }
    if (op.dropped) op.dropped(entry);
  }
}

void Manager::CommitStep(Entry& entry, Step step) {
  entry.busy = true;
  for (auto& event : step.change.events) {
    event.set_sequence(++sequence_);
    event.set_job(entry.job.name());
    step.job.set_last_event(sequence_);
  }
  step.change.jobs.push_back(step.job);
  jobs::Change change = std::move(step.change);
  SendCommit(std::move(change),
             [this, name = entry.job.name(), step = std::move(step)](const absl::Status& status) {
               OnCommitted(name, step, status);
             });
}

void Manager::OnCommitted(const std::string& name, const Step& step, const absl::Status& status) {
  {
    const absl::MutexLock lock(&mutex_);
    Entry& entry = *Find(name);
    entry.busy = false;
    if (!status.ok()) {
      OnRefused(entry, status);
      return;
    }
    const Op op = std::move(entry.ops.front());
    entry.ops.pop_front();
    Replace(entry, step.job);
    if (step.applied) step.applied(entry);
    Reply(op.done, View(entry));
    schedule_ = true;
    RunOps(entry);
    if (jobs::IsTerminal(entry.job.state()) && !entry.busy && entry.ops.empty()) {
      --jobs_of_[entry.job.owner()];
      entry.ended = std::chrono::steady_clock::now();
      ended_.insert(entries_.extract(name));
    }
  }
  hub_.NewEvents(name);
  hub_.NewLive(name);
}

void Manager::OnRefused(Entry& entry, const absl::Status& status) {
  base::Log(base::LogLevel::kWarning, "commit_refused", "job={} error={}", entry.job.name(),
            base::LogValue(status.ToString()));
  if (entry.ops.front().retry && !ending_) {
    entry.retry_at = std::chrono::steady_clock::now() + kRetryPause;
    retries_.insert(entry.job.name());
    std::deque<Op> kept;
    std::deque<Op> all = std::move(entry.ops);
    entry.ops.clear();
    for (Op& op : all) {
      if (op.retry) {
        kept.push_back(std::move(op));
        continue;
      }
      Reply(op.done, status);
      if (op.dropped) op.dropped(entry);
    }
    entry.ops = std::move(kept);
    return;
  }
  const Op op = std::move(entry.ops.front());
  entry.ops.pop_front();
  Reply(op.done, status);
  if (op.dropped) op.dropped(entry);
  if (!ending_) RunOps(entry);
}

void Manager::Replace(Entry& entry, const v1::Job& job) {
  RemoveWaiting(entry);
  --counts_[entry.job.state()];
  entry.job = job;
  ++counts_[entry.job.state()];
  AddWaiting(entry);
}

}  // namespace ltml::service
