#pragma once

#include <memory>

#include "coordinator/jobs/job_store.h"

namespace ltml::jobs {

// A JobStore that keeps everything in memory: the substitute for tests, with the real one's
// behaviour (tests/unit/jobs/job_store_contract.h runs against both).  Callbacks come from a thread
// of its own, which the destructor joins after the last of them.
class MemoryStore : public JobStore {
 public:
  MemoryStore();
  ~MemoryStore() override;

  void Commit(Change change, Done done) override;
  absl::StatusOr<Snapshot> Load() override;
  absl::StatusOr<v1::Job> Job(const std::string& name) override;
  absl::StatusOr<JobPage> List(const v1::ListJobsRequest& query) override;
  absl::StatusOr<std::vector<v1::JobEvent>> Events(const std::string& job, int64_t after,
                                                   int limit) override;
  absl::StatusOr<std::optional<v1::SubmitRecord>> FindSubmit(
      const std::string& owner, const std::string& request_id,
      std::chrono::system_clock::time_point since) override;
  absl::StatusOr<std::vector<v1::JournalEntry>> Journal(const std::string& job,
                                                        int64_t epoch) override;

  // While refusing, commits fail with Unavailable and store nothing, as on a full disk.
  void Refuse(bool refuse);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ltml::jobs
