#include "fake_manager.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"

namespace ltml::coordinator {

class FakeManager::Watcher final : public Subscription {
 public:
  Watcher(FakeManager& manager, std::string job, std::shared_ptr<service::JobListener> listener)
      : manager_(manager), job_(std::move(job)), listener_(std::move(listener)) {}
  ~Watcher() override { manager_.Unsubscribe(this); }

  const std::string& job() const { return job_; }
  service::JobListener& listener() { return *listener_; }

 private:
  FakeManager& manager_;
  const std::string job_;
  const std::shared_ptr<service::JobListener> listener_;
};

void FakeManager::Put(v1::Job job) {
  const absl::MutexLock lock(&mutex_);
  v1::Job& stored = jobs_[job.name()];
  const int64_t last_event = std::max(stored.last_event(), job.last_event());
  stored = std::move(job);
  stored.set_last_event(last_event);
  for (Watcher* watcher : watchers_) {
    if (watcher->job() == stored.name()) watcher->listener().OnJob(stored);
  }
}

int64_t FakeManager::Append(const std::string& name, v1::JobEvent event) {
  const absl::MutexLock lock(&mutex_);
  event.set_sequence(std::ssize(events_) + 1);
  event.set_job(name);
  events_.push_back(event);
  jobs_[name].set_last_event(event.sequence());
  if (event.has_state_change()) jobs_[name].set_state(event.state_change().to());
  for (Watcher* watcher : watchers_) {
    if (watcher->job() == name) watcher->listener().OnEvent(event);
  }
  return event.sequence();
}

int64_t FakeManager::Move(const std::string& name, v1::JobState to) {
  v1::JobEvent event;
  event.mutable_state_change()->set_to(to);
  return Append(name, event);
}

void FakeManager::Refuse(absl::Status status) {
  const absl::MutexLock lock(&mutex_);
  refusal_ = std::move(status);
}

void FakeManager::Hold() {
  const absl::MutexLock lock(&mutex_);
  holding_ = true;
}

void FakeManager::Release() {
  std::vector<std::function<void()>> held;
  {
    const absl::MutexLock lock(&mutex_);
    holding_ = false;
    held.swap(held_);
  }
  for (const auto& change : held) change();
}

void FakeManager::DropHeld() {
  std::vector<std::function<void()>> held;
  const absl::MutexLock lock(&mutex_);
  held.swap(held_);
}

size_t FakeManager::held() const {
  const absl::MutexLock lock(&mutex_);
  return held_.size();
}

int FakeManager::watchers() const {
  const absl::MutexLock lock(&mutex_);
  return static_cast<int>(watchers_.size());
}

int FakeManager::subscriptions() const {
  const absl::MutexLock lock(&mutex_);
  return subscriptions_;
}

service::Actor FakeManager::last_actor() const {
  const absl::MutexLock lock(&mutex_);
  return last_actor_;
}

void FakeManager::Submit(const v1::SubmitRequest& request, const service::Actor& actor,
                         JobDone done) {
  v1::Job job;
  {
    const absl::MutexLock lock(&mutex_);
    job.set_name("jobs/new-" + std::to_string(jobs_.size()));
    *job.mutable_spec() = request.spec();
    job.set_owner(actor.user);
    jobs_[job.name()] = job;
  }
  Change(job.name(), v1::JOB_STATE_QUEUED, actor, std::move(done));
}

v1::ValidateResponse FakeManager::Validate(const v1::JobSpec& spec) {
  v1::ValidateResponse response;
  if (spec.schedule().steps() > 0) return response;
  response.add_violations()->set_field("schedule.steps");
  return response;
}

void FakeManager::Change(const std::string& name, v1::JobState to, const service::Actor& actor,
                         JobDone done) {
  auto change = [this, name, to, done] {
    absl::StatusOr<v1::Job> result = Get(name);
    if (result.ok()) {
      Move(name, to);
      result = Get(name);
    }
    done(std::move(result));
  };
  {
    const absl::MutexLock lock(&mutex_);
    last_actor_ = actor;
    if (holding_) return held_.push_back(std::move(change));
    if (refusal_.has_value()) return done(*refusal_);
  }
  change();
}

void FakeManager::Cancel(const std::string& name, const service::Actor& actor, JobDone done) {
  Change(name, v1::JOB_STATE_CANCELLED, actor, std::move(done));
}
void FakeManager::Pause(const std::string& name, const service::Actor& actor, JobDone done) {
  Change(name, v1::JOB_STATE_PAUSED, actor, std::move(done));
}
void FakeManager::Resume(const std::string& name, const service::Actor& actor, JobDone done) {
  Change(name, v1::JOB_STATE_QUEUED, actor, std::move(done));
}

absl::StatusOr<v1::Job> FakeManager::Get(const std::string& name) {
  const absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(name);
  if (found == jobs_.end()) return absl::NotFoundError("there is no " + name);
  return found->second;
}

absl::StatusOr<service::LiveJob> FakeManager::Look(const std::string& name) {
  {
    const absl::MutexLock lock(&mutex_);
    const auto found = live_.find(name);
    if (found != live_.end()) return found->second;
  }
  service::LiveJob live;
  LTML_ASSIGN_OR_RETURN(live.job, Get(name));
  return live;
}

service::Observation FakeManager::Observe() {
  const absl::MutexLock lock(&mutex_);
  service::Observation seen;
  seen.time = std::chrono::system_clock::now();
  for (const auto& [name, job] : jobs_) ++seen.jobs[job.state()];
  for (const auto& [name, live] : live_) seen.live.push_back(live);
  return seen;
}

void FakeManager::PutLive(service::LiveJob live) {
  Put(live.job);
  const absl::MutexLock lock(&mutex_);
  live_[live.job.name()] = std::move(live);
}

absl::StatusOr<jobs::JobPage> FakeManager::List(const v1::ListJobsRequest& query) {
  if (query.page_token() == "strange") return absl::InvalidArgumentError("not a token of List");
  const absl::MutexLock lock(&mutex_);
  jobs::JobPage page;
  for (const auto& [name, job] : jobs_) page.jobs.push_back(job);
  page.next_page_token = query.owner();
  return page;
}

absl::StatusOr<std::unique_ptr<FakeManager::Subscription>> FakeManager::Watch(
    const std::string& name, int64_t after, std::shared_ptr<service::JobListener> listener) {
  const absl::MutexLock lock(&mutex_);
  if (!jobs_.contains(name)) return absl::NotFoundError("there is no " + name);
  ++subscriptions_;
  listener->OnJob(jobs_[name]);
  for (const v1::JobEvent& event : events_) {
    if (event.job() == name && event.sequence() > after) listener->OnEvent(event);
  }
  auto watcher = std::make_unique<Watcher>(*this, name, std::move(listener));
  watchers_.push_back(watcher.get());
  return watcher;
}

void FakeManager::Unsubscribe(Watcher* watcher) {
  const absl::MutexLock lock(&mutex_);
  std::erase(watchers_, watcher);
}

std::vector<v1::Host> FakeManager::Hosts() {
  v1::Host host;
  host.set_name("one");
  host.set_slots(4);
  return {host};
}

void FakeManager::ChangeHost(const std::string& name, v1::Host::State to,
                             const service::Actor& actor,
                             const std::function<void(absl::StatusOr<v1::Host>)>& done) {
  {
    const absl::MutexLock lock(&mutex_);
    last_actor_ = actor;
  }
  if (name != "one") return done(absl::NotFoundError("there is no host " + name));
  v1::Host host;
  host.set_name(name);
  host.set_state(to);
  done(host);
}

void FakeManager::Drain(const v1::DrainRequest& request, const service::Actor& actor,
                        std::function<void(absl::StatusOr<v1::Host>)> done) {
  ChangeHost(request.host(), v1::Host::STATE_DRAINED, actor, done);
}

void FakeManager::Undrain(const std::string& host, const service::Actor& actor,
                          std::function<void(absl::StatusOr<v1::Host>)> done) {
  ChangeHost(host, v1::Host::STATE_READY, actor, done);
}

}  // namespace ltml::coordinator
