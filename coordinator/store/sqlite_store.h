#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "coordinator/jobs/job_store.h"

namespace ltml::store {

struct SqliteStoreOptions {
  std::filesystem::path folder;
  int64_t largest_pages = 0;  // of 4 KiB; 0: as large as the disk
};

// Jobs in FOLDER/ltml.db: SQLite with a write-ahead log and synchronous=FULL.  One thread writes,
// all changes that wait in one transaction; should that fail, each alone, so that none fails for
// another.  Readers have a connection of their own and never wait for the disk's sync.  The folder
// is locked against a second server.
class SqliteStore : public jobs::JobStore {
 public:
  // FailedPrecondition: in use, on a network file system, or of a later version; DataLoss: damaged
  // (integrity_check); Unavailable: cannot be written.  Cost: reads the whole database once.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const SqliteStoreOptions& options);
  // Commits what waits, then calls the last callbacks.
  ~SqliteStore() override;

  void Commit(jobs::Change change, Done done) override;
  absl::StatusOr<jobs::Snapshot> Load() override;
  absl::StatusOr<v1::Job> Job(const std::string& name) override;
  absl::StatusOr<jobs::JobPage> List(const v1::ListJobsRequest& query) override;
  absl::StatusOr<std::vector<v1::JobEvent>> Events(const std::string& job, int64_t after,
                                                   int limit) override;
  absl::StatusOr<std::optional<v1::SubmitRecord>> FindSubmit(
      const std::string& owner, const std::string& request_id,
      std::chrono::system_clock::time_point since) override;
  absl::StatusOr<std::vector<v1::JournalEntry>> Journal(const std::string& job,
                                                        int64_t epoch) override;

 private:
  class Impl;
  explicit SqliteStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ltml::store
