#include <fmt/format.h>

#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/base/token_digest.h"
#include "coordinator/service/manager.h"

namespace ltml::service {
namespace {

constexpr std::chrono::seconds kPausePlacing{1};

UtcTime ExpiryOf(const v1::Job& job) {
  return FromTimestamp(job.state_time()) + std::chrono::duration_cast<UtcTime::duration>(
                                               ToNanoseconds(job.spec().queue().max_wait()));
}

bool Expires(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_QUEUED && job.spec().queue().has_max_wait();
}

}  // namespace

jobs::QueueKey Manager::KeyOf(const Entry& entry) {
  return {.priority = entry.job.spec().queue().priority(),
          .recovering = entry.job.state() == v1::JOB_STATE_RECOVERING,
          .order = entry.order};
}

void Manager::AddWaiting(const Entry& entry) {
  if (!jobs::Waits(entry.job.state())) return;
  waiting_[KeyOf(entry)] = entry.job.name();
  if (Expires(entry.job)) expiries_.emplace(ExpiryOf(entry.job), entry.job.name());
}

void Manager::RemoveWaiting(const Entry& entry) {
  if (!jobs::Waits(entry.job.state())) return;
  waiting_.erase(KeyOf(entry));
  if (Expires(entry.job)) expiries_.erase({ExpiryOf(entry.job), entry.job.name()});
}

void Manager::SchedulePass() {
  jobs::Pool pool;
  pool.hosts = hosts_.Slots(Now());
  for (const auto& [name, entry] : entries_) {
    if (!entry->held.empty()) pool.holders.push_back({name, entry->held});
  }
  std::vector<jobs::WaitingJob> front;
  for (const auto& [key, name] : waiting_) {
    if (front.size() == jobs::kLookAhead) break;
    const Entry& entry = *Find(name);
    if (!entry.placing) {
      front.push_back({name, jobs::DemandOf(entry.job.spec().resources())});
    }
  }
  for (const auto& placed : jobs::Schedule(pool, front)) StartPlaced(placed);
}

void Manager::StartPlaced(const jobs::Placed& placed) {
  Entry& entry = *Find(placed.job);
  if (entry.busy || !entry.ops.empty()) return;
  entry.placing = true;
  entry.held = placed.placements;
  hosts_.Take(placed.job, entry.held);
  Op op;
  op.decide = [this, backfilled = placed.backfilled](const Entry& now) {
    return DecidePlace(now, backfilled);
  };
  op.dropped = [this](Entry& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    now.placing = false;
    hosts_.GiveBack(now.job.name(), now.held);
    now.held.clear();
    schedule_ = true;
    schedule_after_ = std::chrono::steady_clock::now() + kPausePlacing;
  };
  Enqueue(entry, std::move(op));
}

absl::StatusOr<std::optional<Manager::Step>> Manager::DecidePlace(const Entry& entry,
                                                                  bool backfilled) {
  const char* reason =
      backfilled ? "slots are free that no job ahead can use sooner" : "slots are free";
  LTML_ASSIGN_OR_RETURN(Step step, Move(entry, {v1::JOB_TRIGGER_PLACE, reason}));
  v1::Job& job = step.job;
  job.set_attempt_epoch(job.attempt_epoch() + 1);
  if (!job.has_start_time()) *job.mutable_start_time() = job.state_time();
  v1::Attempt& attempt = *job.add_attempts();
  attempt.set_epoch(job.attempt_epoch());
  attempt.mutable_placements()->Assign(entry.held.begin(), entry.held.end());
  *attempt.mutable_start_time() = job.state_time();
  attempt.set_first_step(job.checkpoint_step());
  job.set_step(job.checkpoint_step());
  auto& event = step.change.events.front();
  event.set_attempt_epoch(job.attempt_epoch());
  *event.mutable_state_change()->mutable_placements() = attempt.placements();
  const std::string token = base::RandomToken();
  v1::AttemptRecord& record = step.change.attempts.emplace_back();
  record.set_job(job.name());
  *record.mutable_attempt() = attempt;
  record.set_token_sha256(base::TokenDigest(token));
  record.set_launch_id(base::RandomToken());
  const std::chrono::duration<double> waited =
      FromTimestamp(job.state_time()) - FromTimestamp(entry.job.state_time());
  step.applied = [this, record, token, waited](Entry& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    now.placing = false;
    now.record = record;
    now.live_step = now.job.step();
    now.metrics.reset();
    queue_waits_.Add(waited.count());
    now.ranks.Begin(now.held);
    PostStart(now.job, record, token);
  };
  return step;
}

void Manager::Expire() {
  const UtcTime now = Now();
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    const std::string name = expiries_.begin()->second;
    expiries_.erase(expiries_.begin());
    EnqueueOwn(*Find(name), [this](const Entry& entry) -> absl::StatusOr<std::optional<Step>> {
      if (!Expires(entry.job) || ExpiryOf(entry.job) > Now()) return std::nullopt;
      const std::string reason = fmt::format("no slots within queue.max_wait = {} s",
                                             entry.job.spec().queue().max_wait().seconds());
      LTML_ASSIGN_OR_RETURN(Step step, Move(entry, {v1::JOB_TRIGGER_EXPIRE, reason}));
      step.job.mutable_failure()->set_rank(-1);
      step.job.mutable_failure()->set_message(reason);
      *step.change.events.front().mutable_state_change()->mutable_failure() = step.job.failure();
      return step;
    });
  }
}

}  // namespace ltml::service
