#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/service/job_manager.h"

namespace ltml::coordinator {

// Keeps jobs and their events in memory; every change is told to those who watch.  Thread-safe.
class FakeManager final : public service::JobManager {
 public:
  void Open() override {}
  // Adds a job, or replaces it, and tells it.
  void Put(v1::Job job);
  // What Look and Observe tell of a job from now on.
  void PutLive(service::LiveJob live);
  // Appends an event; returns its sequence number.
  int64_t Append(const std::string& name, v1::JobEvent event);
  int64_t Move(const std::string& name, v1::JobState to);
  // What all changes answer from now on.
  void Refuse(absl::Status status);
  // Changes are kept waiting until Release, or dropped.
  void Hold();
  void Release();
  void DropHeld();
  size_t held() const;
  int watchers() const;
  int subscriptions() const;  // ever
  service::Actor last_actor() const;

  void Submit(const v1::SubmitRequest& request, const service::Actor& actor, JobDone done) override;
  v1::ValidateResponse Validate(const v1::JobSpec& spec) override;
  void Cancel(const std::string& name, const service::Actor& actor, JobDone done) override;
  void Pause(const std::string& name, const service::Actor& actor, JobDone done) override;
  void Resume(const std::string& name, const service::Actor& actor, JobDone done) override;
  absl::StatusOr<v1::Job> Get(const std::string& name) override;
  absl::StatusOr<jobs::JobPage> List(const v1::ListJobsRequest& query) override;
  absl::StatusOr<std::unique_ptr<Subscription>> Watch(
      const std::string& name, int64_t after,
      std::shared_ptr<service::JobListener> listener) override;
  std::vector<v1::Host> Hosts() override;
  void Drain(const v1::DrainRequest& request, const service::Actor& actor,
             std::function<void(absl::StatusOr<v1::Host>)> done) override;
  void Undrain(const std::string& host, const service::Actor& actor,
               std::function<void(absl::StatusOr<v1::Host>)> done) override;
  absl::StatusOr<service::LiveJob> Look(const std::string& name) override;
  service::Observation Observe() override;

 private:
  class Watcher;
  void Change(const std::string& name, v1::JobState to, const service::Actor& actor, JobDone done);
  void ChangeHost(const std::string& name, v1::Host::State to, const service::Actor& actor,
                  const std::function<void(absl::StatusOr<v1::Host>)>& done);
  void Unsubscribe(Watcher* watcher);

  mutable absl::Mutex mutex_;
  std::map<std::string, v1::Job> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, service::LiveJob> live_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::JobEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::vector<Watcher*> watchers_ ABSL_GUARDED_BY(mutex_);
  int subscriptions_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<absl::Status> refusal_ ABSL_GUARDED_BY(mutex_);
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> held_ ABSL_GUARDED_BY(mutex_);
  service::Actor last_actor_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ltml::coordinator
