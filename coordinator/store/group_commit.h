#pragma once

#include <SQLiteCpp/Database.h>

#include <deque>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/base/lane.h"
#include "coordinator/jobs/job_store.h"
#include "coordinator/store/change_writer.h"

namespace ltml::store {

// The one thread that writes: takes all changes that wait and commits them in one transaction.
// They are answered in their order on another thread, so that the next commit begins meanwhile.
// Thread-safe.  The destructor commits and answers what waits.
class GroupCommit {
 public:
  // `database` is this object's from now on until it is destroyed.
  explicit GroupCommit(SQLite::Database& database);
  ~GroupCommit();
  void Add(jobs::Change change, jobs::JobStore::Done done);

 private:
  struct Waiting {
    jobs::Change change;
    jobs::JobStore::Done done;
    absl::Status status;
  };
  void Run();
  // The changes [begin, end) in one transaction.
  absl::Status Commit(std::deque<Waiting>& batch, size_t begin, size_t end);

  SQLite::Database& database_;
  ChangeWriter writer_;
  absl::Mutex mutex_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  base::Lane answers_;
  std::thread thread_;
};

}  // namespace ltml::store
