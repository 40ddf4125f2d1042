#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/base/status_macros.h"
#include "coordinator/jobs/retry.h"
#include "coordinator/service/manager.h"

namespace ltml::service {
namespace {

// What an end that nobody asked for is taken as.
v1::Failure FailureOf(const jobs::RunOutcome& outcome) {
  v1::Failure failure = outcome.failure;
  if (outcome.kind == jobs::RunOutcome::Kind::kStopped) {
    failure.set_cause(v1::FAILURE_CAUSE_COORDINATOR_LOST);
    failure.set_message("the attempt stopped though nobody had asked it to");
  }
  return failure;
}

bool IsValidation(const v1::Report& report) {
  return report.evaluated_on().empty() || report.evaluated_on() == "validation";
}

}  // namespace

AttemptEvents Manager::EventsOf(const std::string& name, int64_t epoch) {
  AttemptEvents events;
  events.connected = [this, name, epoch] {
    WithAttempt(name, epoch, [this](Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      EnqueueOwn(entry, [this](const Entry& now) -> absl::StatusOr<std::optional<Step>> {
        if (now.job.state() != v1::JOB_STATE_STARTING) return std::nullopt;
        return Move(now, {v1::JOB_TRIGGER_CONNECT, "all ranks are connected"});
      });
    });
  };
  events.step = [this, name, epoch](const v1::StepMetrics& metrics) {
    WithAttempt(name, epoch, [&](Entry& entry) { entry.metrics = metrics; });
    hub_.NewLive(name);
  };
  events.progress = [this, name, epoch](int64_t step) {
    WithAttempt(name, epoch, [&](Entry& entry) { entry.live_step = step; });
    hub_.NewLive(name);
  };
  events.rank_progress = [this, name, epoch](int rank, const v1::Progress& progress) {
    WithAttempt(name, epoch, [&](Entry& entry) { OnRank(entry, rank, progress, Now()); });
  };
  events.statistics = [this, name,
                       epoch](const std::shared_ptr<const v1::ClassStatistics>& statistics) {
    WithAttempt(name, epoch, [&](Entry& entry) { OnStatistics(entry, statistics); });
  };
  events.checkpoint = [this, name, epoch](const v1::CheckpointWritten& checkpoint) {
    WithAttempt(name, epoch, [&](Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      OnCheckpoint(entry, checkpoint);
    });
  };
  events.evaluation = [this, name, epoch](const v1::Report& report) {
    WithAttempt(name, epoch, [&](Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      OnEvaluation(entry, report);
    });
  };
  events.ended = [this, name, epoch](const jobs::RunOutcome& outcome) {
    WithAttempt(name, epoch, [&](Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      OnEnded(entry, epoch, outcome);
    });
  };
  return events;
}

void Manager::WithAttempt(const std::string& name, int64_t epoch,
                          const std::function<void(Entry&)>& use) {
  const absl::MutexLock lock(&mutex_);
  Entry* entry = Find(name);
  if (entry == nullptr || entry->job.attempt_epoch() != epoch ||
      !jobs::HoldsSlots(entry->job.state())) {
    return;
  }
  use(*entry);
}

void Manager::PostStart(const v1::Job& job, const v1::AttemptRecord& record,
                        const std::string& token) {
  attempts_.Post([this, job, record, token] {
    AttemptEvents events = EventsOf(job.name(), record.attempt().epoch());
    const absl::Status prepared = options_.prepare_run(job);
    if (prepared.ok()) {
      running_[{job.name(), record.attempt().epoch()}] =
          options_.runner->Start(job, record, token, std::move(events));
      return;
    }
    jobs::RunOutcome outcome;
    outcome.failure.set_cause(v1::FAILURE_CAUSE_STORAGE);
    outcome.failure.set_rank(-1);
    outcome.failure.set_message(fmt::format("{} cannot be prepared: {}", job.run_folder(),
                                            std::string(prepared.message())));
    events.ended(outcome);
  });
}

void Manager::PostAdopt(const v1::Job& job, const v1::AttemptRecord& record) {
  attempts_.Post([this, job, record] {
    const int64_t epoch = record.attempt().epoch();
    running_[{job.name(), epoch}] =
        options_.runner->Adopt(job, record, EventsOf(job.name(), epoch));
  });
}

void Manager::PostStop(const v1::Job& job, const std::string& reason) {
  attempts_.Post([this, name = job.name(), epoch = job.attempt_epoch(), reason] {
    const auto found = running_.find({name, epoch});
    if (found != running_.end()) found->second->Stop(reason);
  });
}

void Manager::OnRank(Entry& entry, int rank, const v1::Progress& progress, UtcTime now) {
  const v1::RankTimes past = entry.ranks.Heard(rank, progress, now);
  entry.live.steps = std::max(entry.live.steps, progress.step());
  if (rank != 0 || past.steps() <= 0) return;
  const double seconds = past.data_wait_seconds() + past.compute_seconds() +
                         past.collective_wait_seconds() + past.grant_wait_seconds();
  entry.live.step_durations.Add(seconds / static_cast<double>(past.steps()), past.steps());
}

// An attempt that goes on from a checkpoint tells less at first than was told before.
void Manager::OnStatistics(Entry& entry, std::shared_ptr<const v1::ClassStatistics> statistics) {
  const auto delivered = [](const v1::ClassStatistics& of) {
    const auto sum = [](const auto& all) {
      return std::accumulate(all.begin(), all.end(), int64_t{0});
    };
    return sum(of.uniform_positives()) + sum(of.rebalanced_positives());
  };
  auto& known = entry.live.statistics;
  if (known != nullptr && delivered(*statistics) < delivered(*known)) return;
  known = std::move(statistics);
}

void Manager::OnCheckpoint(Entry& entry, const v1::CheckpointWritten& checkpoint) {
  EnqueueOwn(entry, [this, checkpoint](const Entry& now) -> absl::StatusOr<std::optional<Step>> {
    if (checkpoint.step() <= now.job.checkpoint_step()) return std::nullopt;
    Step step;
    step.job = now.job;
    step.job.set_checkpoint_step(checkpoint.step());
    step.job.set_step(std::max(step.job.step(), checkpoint.step()));
    v1::JobEvent& event = AddEvent(step, now);
    *event.mutable_checkpoint() = checkpoint;
    *step.job.mutable_checkpoint_time() = event.time();
    return step;
  });
}

void Manager::OnEvaluation(Entry& entry, const v1::Report& report) {
  if (!IsValidation(report)) return;
  auto& newest = entry.live.validation;
  if (newest == nullptr || newest->evaluated_step() < report.evaluated_step()) {
    entry.live.validation_before = std::exchange(newest, std::make_shared<v1::Report>(report));
  }
  v1::EvaluationPoint point;
  point.set_step(report.evaluated_step());
  *point.mutable_mean_average_precision() = report.mean_average_precision();
  EnqueueOwn(entry, [this, point](const Entry& now) -> absl::StatusOr<std::optional<Step>> {
    for (const auto& known : now.job.evaluations()) {
      if (known.step() == point.step()) return std::nullopt;
    }
    Step step;
    step.job = now.job;
    *step.job.add_evaluations() = point;
    auto& all = *step.job.mutable_evaluations();
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.step() < b.step(); });
    *AddEvent(step, now).mutable_evaluation() = point;
    return step;
  });
}

void Manager::OnEnded(Entry& entry, int64_t epoch, const jobs::RunOutcome& outcome) {
  // Off the caller's thread: destroying an attempt waits for its events.
  attempts_.Post([this, key = std::pair(entry.job.name(), epoch)] { running_.erase(key); });
  EnqueueOwn(entry, [this, outcome](const Entry& now) { return DecideEnd(now, outcome); });
}

absl::StatusOr<std::optional<Manager::Step>> Manager::DecideEnd(const Entry& entry,
                                                                const jobs::RunOutcome& outcome) {
  using Kind = jobs::RunOutcome::Kind;
  const bool stopping = entry.job.state() == v1::JOB_STATE_STOPPING;
  NewState state{v1::JOB_TRIGGER_FINISH, "the last step is done"};
  std::optional<v1::Failure> failure;
  jobs::RetryDecision decision;
  const bool not_started = outcome.kind == Kind::kNotStarted;
  if (stopping && (not_started || outcome.kind == Kind::kStopped)) {
    state = {v1::JOB_TRIGGER_STOPPED, "the ranks have stopped"};
  } else if (not_started) {
    // Costs none of the job's restarts.
    state = {v1::JOB_TRIGGER_RETRY, outcome.failure.message()};
  } else if (outcome.kind != Kind::kSucceeded) {
    failure = FailureOf(outcome);
    decision = jobs::DecideRetry(entry.job, *failure);
    state = {decision.retry ? v1::JOB_TRIGGER_RETRY : v1::JOB_TRIGGER_FAIL, decision.reason};
  }
  LTML_ASSIGN_OR_RETURN(Step step, Move(entry, state));
  v1::Job& job = step.job;
  v1::AttemptRecord record = entry.record;
  v1::Attempt& attempt = *record.mutable_attempt();
  *attempt.mutable_end_time() = ToTimestamp(Now());
  attempt.set_last_step(std::max(outcome.step, attempt.first_step()));
  job.set_step(outcome.kind == Kind::kSucceeded ? outcome.step : job.checkpoint_step());
  if (failure) {
    job.set_user_failures(decision.user_failures);
    job.set_cluster_failures(decision.cluster_failures);
    *job.mutable_failure() = *attempt.mutable_failure() = *failure;
    *step.change.events.front().mutable_state_change()->mutable_failure() = *failure;
  }
  if (job.attempts_size() > 0) *job.mutable_attempts(job.attempts_size() - 1) = attempt;
  step.change.attempts.push_back(record);
  step.change.ended_attempts.emplace_back(job.name(), attempt.epoch());
  const auto cooldown = std::chrono::duration_cast<UtcTime::duration>(
      ToNanoseconds(options_.config.launch().cooldown()));
  const auto cooled = failure ? jobs::HostsToCool(*failure) : std::vector<std::string>();
  std::vector<v1::HostRecord> records;
  for (const auto& host : cooled) {
    // Others change the pool while this commits: only its mutex's holder knows the record.
    mutex_.AssertHeld();
    if (!hosts_.Has(host) || cooldown.count() == 0) continue;
    records.push_back(hosts_.Record(host));
    *records.back().mutable_cooldown_end() = ToTimestamp(Now() + cooldown);
  }
  step.change.hosts = records;
  step.applied = [this, records](Entry& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const auto& host : records) hosts_.Set(host);
    hosts_.GiveBack(now.job.name(), now.held);
    now.held.clear();
    now.metrics.reset();
    now.live_step = now.job.step();
    if (now.job.state() == v1::JOB_STATE_PREEMPTED) Requeue(now);
  };
  return step;
}

void Manager::Preempt(Entry& entry, const std::string& reason) {
  EnqueueOwn(entry, [this, reason](const Entry& now) -> absl::StatusOr<std::optional<Step>> {
    if (now.job.state() != v1::JOB_STATE_STARTING && now.job.state() != v1::JOB_STATE_RUNNING) {
      return std::nullopt;
    }
    LTML_ASSIGN_OR_RETURN(Step step, Move(now, {v1::JOB_TRIGGER_PREEMPT, reason}));
    step.applied = [this, reason](Entry& moved) { PostStop(moved.job, reason); };
    return step;
  });
}

void Manager::Requeue(Entry& entry) {
  EnqueueOwn(entry, [this](const Entry& now) -> absl::StatusOr<std::optional<Step>> {
    if (now.job.state() != v1::JOB_STATE_PREEMPTED) return std::nullopt;
    return Move(now, {v1::JOB_TRIGGER_RESUME, "a preempted job goes back to the queue"});
  });
}

}  // namespace ltml::service
