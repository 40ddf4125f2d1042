#include <fmt/format.h>

#include "common/base/log.h"
#include "common/base/random.h"
#include "common/rpc/details.h"
#include "coordinator/jobs/names.h"
#include "coordinator/service/manager.h"
#include "coordinator/service/submit_checks.h"

namespace ltml::service {
namespace {

constexpr std::chrono::hours kSubmitMemory{24};

bool IsCancelled(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_CANCELLED || job.stop_goal() == v1::JOB_STATE_CANCELLED;
}

bool IsPaused(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_PAUSED || job.stop_goal() == v1::JOB_STATE_PAUSED;
}

bool IsResumed(const v1::Job& job) {
  return jobs::Waits(job.state()) || job.state() == v1::JOB_STATE_STARTING ||
         job.state() == v1::JOB_STATE_RUNNING || job.stop_goal() == v1::JOB_STATE_PREEMPTED;
}

absl::Status NotYours(const std::string& name, const v1::Job& job, const Actor& actor) {
  if (actor.all_jobs || actor.user == job.owner()) return absl::OkStatus();
  return absl::PermissionDeniedError(fmt::format(
      "{} belongs to {}: {} may not change it; an admin may", name, job.owner(), actor.user));
}

absl::Status WrongState(const std::string& verb, const v1::Job& job) {
  const auto text =
      fmt::format("{} cannot be {}: it is {}", job.name(), verb, jobs::StateName(job.state()));
  return rpc::WithPreconditionFailure(absl::FailedPreconditionError(text), "JOB_STATE", job.name(),
                                      text);
}

}  // namespace

void Manager::Cancel(const std::string& name, const Actor& actor, JobDone done) {
  RunControl(name, actor, {v1::JOB_TRIGGER_CANCEL, "cancelled", &IsCancelled}, std::move(done));
}

void Manager::Pause(const std::string& name, const Actor& actor, JobDone done) {
  RunControl(name, actor, {v1::JOB_TRIGGER_PAUSE, "paused", &IsPaused}, std::move(done));
}

void Manager::Resume(const std::string& name, const Actor& actor, JobDone done) {
  RunControl(name, actor, {v1::JOB_TRIGGER_RESUME, "resumed", &IsResumed}, std::move(done));
}

void Manager::RunControl(const std::string& name, const Actor& actor, const Control& control,
                         JobDone done) {
  {
    const absl::MutexLock lock(&mutex_);
    if (Entry* entry = Find(name)) {
      const auto denied = NotYours(name, entry->job, actor);
      if (!denied.ok()) return Reply(std::move(done), denied);
      Op op;
      op.done = std::move(done);
      op.decide = [this, control, actor](const Entry& now) -> absl::StatusOr<std::optional<Step>> {
        if (control.already(now.job)) return std::nullopt;
        const std::string reason = fmt::format("{} by {}", control.verb, actor.user);
        auto step = Move(now, {control.trigger, reason});
        if (!step.ok()) return WrongState(control.verb, now.job);
        const bool stops = step->job.state() == v1::JOB_STATE_STOPPING;
        if (stops) step->applied = [this, reason](Entry& moved) { PostStop(moved.job, reason); };
        return *std::move(step);
      };
      return Enqueue(*entry, std::move(op));
    }
  }
  ControlEnded(name, control, actor, std::move(done));
}

void Manager::ControlEnded(const std::string& name, const Control& control, const Actor& actor,
                           JobDone done) {
  const auto job = options_.store->Job(name);
  if (!job.ok()) return Reply(std::move(done), job.status());
  const auto denied = NotYours(name, *job, actor);
  if (!denied.ok()) return Reply(std::move(done), denied);
  if (control.already(*job)) return Reply(std::move(done), *job);
  Reply(std::move(done), WrongState(control.verb, *job));
}

v1::ValidateResponse Manager::Validate(const v1::JobSpec& spec) {
  std::vector<jobs::HostSlots> capacity;
  {
    const absl::MutexLock lock(&mutex_);
    capacity = hosts_.Capacity();
  }
  const auto facts = CheckSubmit(spec, capacity, options_.inspect);
  v1::ValidateResponse response;
  for (const auto& violation : facts.violations) *response.add_violations() = violation;
  return response;
}

void Manager::Submit(const v1::SubmitRequest& request, const Actor& actor, JobDone done) {
  if (!request.request_id().empty() && !jobs::IsToken(request.request_id())) {
    v1::FieldViolation violation;
    violation.set_field("request_id");
    violation.set_description("takes at most 128 letters, digits, '-', '_' and '.'");
    return Reply(std::move(done), Refusal({violation}));
  }
  std::string key;
  {
    const absl::MutexLock lock(&mutex_);
    // '/' is in no request id, so keys of calls without one meet no other.
    key = request.request_id().empty() ? fmt::format("/{}", ++next_submit_)
                                       : fmt::format("{}/{}", request.request_id(), actor.user);
    const auto [pending, added] = submits_.try_emplace(key);
    if (!added) {
      v1::SubmitRecord earlier;
      *earlier.mutable_request() = pending->second.request;
      earlier.set_job("a submit that is under way");
      const auto same = CompareSubmit(earlier, request);
      if (!same.ok()) return Reply(std::move(done), same);
      pending->second.waiting.push_back(std::move(done));
      return;
    }
    pending->second = {request, actor.user, {std::move(done)}};
  }
  SubmitNew(request, actor, key);
}

void Manager::SubmitNew(const v1::SubmitRequest& request, const Actor& actor,
                        const std::string& key) {
  const UtcTime now = Now();
  if (!request.request_id().empty()) {
    const auto earlier =
        options_.store->FindSubmit(actor.user, request.request_id(), now - kSubmitMemory);
    if (!earlier.ok()) return EndSubmit(key, earlier.status());
    if (earlier->has_value()) {
      const auto same = CompareSubmit(**earlier, request);
      return EndSubmit(key, same.ok() ? Get((*earlier)->job()) : same);
    }
  }
  std::vector<jobs::HostSlots> capacity;
  {
    const absl::MutexLock lock(&mutex_);
    capacity = hosts_.Capacity();
  }
  const auto facts = CheckSubmit(request.spec(), capacity, options_.inspect);
  if (!facts.violations.empty()) return EndSubmit(key, Refusal(facts.violations));
  const std::string id = NewJobId(now, request.spec().name(), base::RandomToken());
  Entry fresh;
  fresh.job.set_name("jobs/" + id);
  *fresh.job.mutable_spec() = request.spec();
  fresh.job.set_owner(actor.user);
  fresh.job.set_classes(facts.classes);
  fresh.job.set_run_folder(options_.config.paths().runs() + "/" + id);
  *fresh.job.mutable_submit_time() = ToTimestamp(now);
  auto step = Move(fresh, {v1::JOB_TRIGGER_SUBMIT, fmt::format("submitted by {}", actor.user)});
  if (!step.ok()) return EndSubmit(key, step.status());
  jobs::Change change = std::move(step->change);
  if (!request.request_id().empty()) {
    auto& record = change.submit.emplace();
    record.set_owner(actor.user);
    record.set_request_id(request.request_id());
    record.set_job(fresh.job.name());
    *record.mutable_request() = request;
    *record.mutable_time() = ToTimestamp(now);
  }
  absl::Status over;
  {
    const absl::MutexLock lock(&mutex_);
    const int limit = options_.config.limits().jobs_per_user();
    int64_t& count = jobs_of_[actor.user];
    if (count >= limit) {
      over = absl::ResourceExhaustedError(fmt::format(
          "{} has {} jobs that have not ended, limits.jobs_per_user = {}; wait for some "
          "to end, or cancel them",
          actor.user, count, limit));
    } else {
      ++count;
      auto& event = change.events.front();
      event.set_sequence(++sequence_);
      event.set_job(step->job.name());
      step->job.set_last_event(sequence_);
      change.jobs.push_back(step->job);
      SendCommit(std::move(change), [this, key, job = step->job](const absl::Status& status) {
        OnSubmitted(key, job, status);
      });
    }
  }
  if (!over.ok()) EndSubmit(key, over);
}

void Manager::OnSubmitted(const std::string& key, const v1::Job& job, const absl::Status& status) {
  if (!status.ok()) {
    {
      const absl::MutexLock lock(&mutex_);
      --jobs_of_[job.owner()];
    }
    return EndSubmit(key, status);
  }
  {
    const absl::MutexLock lock(&mutex_);
    auto& entry = entries_[job.name()] = std::make_unique<Entry>();
    entry->job = job;
    entry->order = next_order_++;
    ++counts_[job.state()];
    AddWaiting(*entry);
    schedule_ = true;
  }
  EndSubmit(key, job);
}

void Manager::EndSubmit(const std::string& key, const absl::StatusOr<v1::Job>& result) {
  const absl::MutexLock lock(&mutex_);
  const auto pending = submits_.extract(key);
  for (JobDone& done : pending.mapped().waiting) Reply(std::move(done), result);
}

void Manager::Drain(const v1::DrainRequest& request, const Actor& actor, HostDone done) {
  const absl::MutexLock lock(&mutex_);
  v1::HostRecord record;
  record.set_name(request.host());
  record.set_drained(true);
  record.set_note(request.reason().empty()
                      ? fmt::format("drained by {}", actor.user)
                      : fmt::format("drained by {}: {}", actor.user, request.reason()));
  SetHost(
      record,
      request.preempt() ? fmt::format("host {} was drained by {}", request.host(), actor.user) : "",
      std::move(done));
}

void Manager::Undrain(const std::string& host, const Actor& /*actor*/, HostDone done) {
  const absl::MutexLock lock(&mutex_);
  v1::HostRecord record;
  record.set_name(host);
  SetHost(record, "", std::move(done));
}

void Manager::SetHost(v1::HostRecord record, const std::string& preempt_reason, HostDone done) {
  const std::string host = record.name();
  if (!hosts_.Has(host)) {
    replies_.Post([host, done = std::move(done)] {
      done(
          absl::NotFoundError(fmt::format("there is no host '{}'; `ltml hosts` lists them", host)));
    });
    return;
  }
  // A drained host's cooldown goes on; undrain makes it usable at once.
  if (record.drained()) *record.mutable_cooldown_end() = hosts_.Record(host).cooldown_end();
  jobs::Change change;
  change.hosts.push_back(record);
  SendCommit(std::move(change), [this, record, preempt_reason,
                                 done = std::move(done)](const absl::Status& status) {
    absl::StatusOr<v1::Host> result = status.ok() ? absl::StatusOr<v1::Host>(v1::Host()) : status;
    if (status.ok()) {
      const absl::MutexLock lock(&mutex_);
      hosts_.Set(record);
      schedule_ = true;
      result = hosts_.Host(record.name(), Now());
      for (const auto& name : result->jobs()) {
        Entry* entry = preempt_reason.empty() ? nullptr : Find(name);
        if (entry != nullptr) Preempt(*entry, preempt_reason);
      }
    }
    replies_.Post([result, done] { done(result); });
  });
}

}  // namespace ltml::service
