#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/base/durations.h"
#include "coordinator/jobs/job_store.h"

namespace ltml::jobs {

// A store that measures another one: how long commits take until they are durable, and how many are
// refused.  Passes everything on.  Thread-safe.
class TimedStore final : public JobStore {
 public:
  // `store` must outlive it.
  explicit TimedStore(JobStore& store) : store_(store) {}

  struct Measured {
    base::Durations commits{{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5}};
    int64_t errors = 0;
  };
  Measured measured() const;

  void Commit(Change change, Done done) override;
  absl::StatusOr<Snapshot> Load() override { return store_.Load(); }
  absl::StatusOr<v1::Job> Job(const std::string& name) override { return store_.Job(name); }
  absl::StatusOr<JobPage> List(const v1::ListJobsRequest& query) override {
    return store_.List(query);
  }
  absl::StatusOr<std::vector<v1::JobEvent>> Events(const std::string& job, int64_t after,
                                                   int limit) override {
    return store_.Events(job, after, limit);
  }
  absl::StatusOr<std::optional<v1::SubmitRecord>> FindSubmit(
      const std::string& owner, const std::string& request_id,
      std::chrono::system_clock::time_point since) override {
    return store_.FindSubmit(owner, request_id, since);
  }
  absl::StatusOr<std::vector<v1::JournalEntry>> Journal(const std::string& job,
                                                        int64_t epoch) override {
    return store_.Journal(job, epoch);
  }

 private:
  JobStore& store_;
  mutable absl::Mutex mutex_;
  Measured measured_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ltml::jobs
