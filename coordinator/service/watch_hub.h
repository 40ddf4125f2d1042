#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/base/lane.h"
#include "coordinator/service/job_manager.h"

namespace ltml::service {

// Brings events and live jobs to those who watch.  What a listener gets always comes from the
// store, a page at a time, from where it stands: replay and tail are the same, and a slow or late
// listener costs no memory.  Thread-safe.
class WatchHub {
 public:
  struct Source {
    std::function<absl::StatusOr<std::vector<v1::JobEvent>>(const std::string& job, int64_t after,
                                                            int limit)>
        events;
    std::function<absl::StatusOr<v1::Job>(const std::string& job)> job;
  };
  explicit WatchHub(Source source) : source_(std::move(source)) {}

  std::unique_ptr<JobManager::Subscription> Watch(const std::string& job, int64_t after,
                                                  std::shared_ptr<JobListener> listener);
  // Events of the job are durable.
  void NewEvents(const std::string& job);
  // The job's live part has moved.
  void NewLive(const std::string& job);
  // Sends live jobs that are due, and reads again what could not be read.  To be called often.
  void Tick();
  void End() { lane_.End(); }

 private:
  struct Watcher;
  class Handle;

  void Post(const std::shared_ptr<Watcher>& watcher);
  void Deliver(const std::shared_ptr<Watcher>& watcher);
  // True when more may be left.
  bool DeliverPage(Watcher& watcher);
  void Remove(const std::shared_ptr<Watcher>& watcher);

  const Source source_;
  absl::Mutex mutex_;
  std::multimap<std::string, std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  base::Lane lane_;
};

}  // namespace ltml::service
