#include "coordinator/service/manager.h"

#include <fmt/format.h>

#include "absl/synchronization/notification.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace ltml::service {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);

Durations QueueWaits() { return Durations({1, 5, 15, 60, 300, 900, 3600, 14400, 86400}); }

JobManagerOptions Complete(JobManagerOptions options) {
  if (!options.utc_now) options.utc_now = &std::chrono::system_clock::now;
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobManager>> JobManager::Start(JobManagerOptions options) {
  LTML_ASSIGN_OR_RETURN(const jobs::Snapshot snapshot, options.store->Load());
  auto manager = std::make_unique<Manager>(std::move(options), snapshot);
  manager->AwaitAdoption();
  return manager;
}

Manager::Manager(JobManagerOptions options, const jobs::Snapshot& snapshot)
    : options_(Complete(std::move(options))),
      hosts_(options_.config, snapshot.hosts),
      queue_waits_(QueueWaits()),
      hub_({.events = [this](const std::string& job, int64_t after,
                             int limit) { return options_.store->Events(job, after, limit); },
            .job = [this](const std::string& job) { return Get(job); }}) {
  Restore(snapshot);
  timer_ = std::thread([this] { RunTimer(); });
}

Manager::~Manager() {
  {
    const absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  timer_.join();
  attempts_.Post([this] {
    for (const auto& [key, attempt] : running_) attempt->Detach();
    running_.clear();
  });
  attempts_.End();
  commits_.End();
  {
    const absl::MutexLock lock(&mutex_);
    const auto quiet = [this]()
                           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return commits_open_ == 0; };
    mutex_.Await(absl::Condition(&quiet));
    for (const auto& [name, entry] : entries_) {
      for (const Op& op : entry->ops) {
        Reply(op.done, absl::UnavailableError("the server is ending; ask again"));
      }
    }
  }
  replies_.End();
  hub_.End();
}

void Manager::AwaitAdoption() {
  absl::Notification adopted;
  attempts_.Post([&adopted] { adopted.Notify(); });
  adopted.WaitForNotification();
}

void Manager::Open() {
  const absl::MutexLock lock(&mutex_);
  open_ = true;
}

void Manager::Restore(const jobs::Snapshot& snapshot) {
  const absl::MutexLock lock(&mutex_);
  last_tick_ = Now();
  sequence_ = snapshot.last_event;
  for (const auto& [name, count] : snapshot.ended_jobs) {
    v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
    if (v1::JobState_Parse("JOB_STATE_" + name, &state)) counts_[state] = count;
  }
  for (const auto& job : snapshot.jobs) {
    auto& entry = entries_[job.name()] = std::make_unique<Entry>();
    entry->job = job;
    entry->order = next_order_++;
    entry->live_step = job.step();
    ++counts_[job.state()];
    ++jobs_of_[job.owner()];
    AddWaiting(*entry);
  }
  for (const auto& record : snapshot.attempts) {
    if (Entry* entry = Find(record.job())) entry->record = record;
  }
  for (const auto& [name, entry] : entries_) {
    if (jobs::HoldsSlots(entry->job.state())) {
      const auto& placements = entry->record.attempt().placements();
      entry->held.assign(placements.begin(), placements.end());
      hosts_.Take(name, entry->held);
      entry->ranks.Begin(entry->held);
      PostAdopt(entry->job, entry->record);
    }
    if (entry->job.state() == v1::JOB_STATE_STOPPING) {
      PostStop(entry->job, "the server was restarted while the job was being stopped");
    }
  }
  std::vector<Entry*> preempted;
  for (const auto& [name, entry] : entries_) {
    if (entry->job.state() == v1::JOB_STATE_PREEMPTED) preempted.push_back(entry.get());
  }
  for (Entry* entry : preempted) Requeue(*entry);
}

void Manager::RunTimer() {
  const auto wake = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ending_ || (open_ && schedule_ && std::chrono::steady_clock::now() >= schedule_after_);
  };
  while (true) {
    {
      const absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&wake), kTick);
      if (ending_) return;
      OnTimer();
    }
    hub_.Tick();
  }
}

void Manager::OnTimer() {
  const auto steady = std::chrono::steady_clock::now();
  const UtcTime now = Now();
  const std::set<std::string> retries = retries_;
  for (const auto& name : retries) {
    Entry* entry = Find(name);
    if (entry != nullptr && entry->retry_at && *entry->retry_at > steady) continue;
    retries_.erase(name);
    if (entry == nullptr) continue;
    entry->retry_at.reset();
    RunOps(*entry);
  }
  Expire();
  ForgetEnded();
  if (hosts_.CooldownEnded(last_tick_, now)) schedule_ = true;
  last_tick_ = now;
  if (open_ && schedule_ && steady >= schedule_after_) {
    schedule_ = false;
    SchedulePass();
  }
}

Manager::Entry* Manager::Find(const std::string& name) {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.get();
}

v1::Job Manager::View(const Entry& entry) {
  v1::Job job = entry.job;
  if (jobs::HoldsSlots(job.state())) {
    job.set_step(std::max(job.step(), entry.live_step));
    if (entry.metrics) *job.mutable_metrics() = *entry.metrics;
    const std::vector<v1::RankStatus> ranks = entry.ranks.ranks();
    job.mutable_ranks()->Assign(ranks.begin(), ranks.end());
  }
  if (jobs::Waits(job.state())) {
    const auto place = waiting_.find(KeyOf(entry));
    const int64_t ahead = place == waiting_.end() ? 0 : std::distance(waiting_.begin(), place);
    job.set_wait_reason(
        jobs::WaitReason(jobs::DemandOf(job.spec().resources()), hosts_.Slots(Now()), ahead));
  }
  return job;
}

void Manager::Reply(JobDone done, absl::StatusOr<v1::Job> result) {
  if (!done) return;
  replies_.Post([done = std::move(done), result = std::move(result)] { done(result); });
}

void Manager::SendCommit(jobs::Change change, jobs::JobStore::Done done) {
  ++commits_open_;
  auto shared = std::make_shared<jobs::Change>(std::move(change));
  commits_.Post([this, shared, done = std::move(done)] {
    options_.store->Commit(std::move(*shared), [this, done](const absl::Status& status) {
      done(status);
      const absl::MutexLock lock(&mutex_);
      --commits_open_;
    });
  });
}

absl::StatusOr<v1::Job> Manager::Get(const std::string& name) {
  {
    const absl::MutexLock lock(&mutex_);
    if (Entry* entry = Find(name)) return View(*entry);
  }
  return options_.store->Job(name);
}

absl::StatusOr<jobs::JobPage> Manager::List(const v1::ListJobsRequest& query) {
  LTML_ASSIGN_OR_RETURN(jobs::JobPage page, options_.store->List(query));
  const absl::MutexLock lock(&mutex_);
  for (v1::Job& job : page.jobs) {
    const Entry* entry = jobs::HoldsSlots(job.state()) ? Find(job.name()) : nullptr;
    if (entry != nullptr) job.set_step(std::max(job.step(), entry->live_step));
  }
  return page;
}

absl::StatusOr<std::unique_ptr<JobManager::Subscription>> Manager::Watch(
    const std::string& name, int64_t after, std::shared_ptr<JobListener> listener) {
  LTML_RETURN_IF_ERROR(Get(name).status());
  return hub_.Watch(name, after, std::move(listener));
}

std::vector<v1::Host> Manager::Hosts() {
  const absl::MutexLock lock(&mutex_);
  return hosts_.Hosts(Now());
}

LiveJob Manager::LiveOf(const Entry& entry) {
  LiveJob live = entry.live;
  live.job = View(entry);
  live.ranks = entry.ranks.ranks();
  live.steps = std::max(live.steps, live.job.step());
  return live;
}

absl::StatusOr<LiveJob> Manager::Look(const std::string& name) {
  {
    const absl::MutexLock lock(&mutex_);
    if (const Entry* entry = Find(name)) return LiveOf(*entry);
    const auto ended = ended_.find(name);
    if (ended != ended_.end()) return LiveOf(*ended->second);
  }
  LiveJob live;
  LTML_ASSIGN_OR_RETURN(live.job, options_.store->Job(name));
  live.steps = live.job.step();
  return live;
}

Observation Manager::Observe() {
  const absl::MutexLock lock(&mutex_);
  Observation seen;
  seen.time = Now();
  seen.jobs = counts_;
  seen.queue_waits = queue_waits_;
  seen.longest_wait_seconds = LongestWait();
  seen.hosts = hosts_.Hosts(seen.time);
  for (const Entries* entries : {&entries_, &ended_}) {
    for (const auto& [name, entry] : *entries) {
      if (entry->job.attempt_epoch() > 0) seen.live.push_back(LiveOf(*entry));
    }
  }
  return seen;
}

double Manager::LongestWait() {
  double longest = 0;
  for (const auto& [key, name] : waiting_) {
    const auto wait = Now() - FromTimestamp(Find(name)->job.state_time());
    longest = std::max(longest, std::chrono::duration<double>(wait).count());
  }
  return longest;
}

void Manager::ForgetEnded() {
  const auto grace = ToNanoseconds(options_.config.monitoring().grace());
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(ended_, [&](const auto& ended) { return now - ended.second->ended >= grace; });
}

}  // namespace ltml::service
