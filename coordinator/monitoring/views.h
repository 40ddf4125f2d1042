#pragma once

#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/view/run_reader.h"
#include "coordinator/service/job_manager.h"

namespace ltml::monitoring {

// All that is to be seen of a job: what its run folder tells, and over it what the manager knows.
// Keeps the readers of the runs that were looked at last.  Thread-safe; views of different jobs are
// made side by side.
class Views {
 public:
  static constexpr size_t kReaders = 64;

  // `manager` must outlive it.
  explicit Views(service::JobManager& manager) : manager_(manager) {}

  // NotFound for no such job.  What of the folder cannot be read is told in `fault`.
  absl::StatusOr<v1::RunView> Of(const std::string& name);

 private:
  struct Reader {
    Reader(std::string job_name, const std::string& folder)
        : name(std::move(job_name)), reader(folder) {}
    const std::string name;
    absl::Mutex mutex;
    view::RunReader reader ABSL_GUARDED_BY(mutex);
  };
  // Shared: one may leave the list while it is read.
  std::shared_ptr<Reader> ReaderOf(const v1::Job& job);

  service::JobManager& manager_;
  absl::Mutex mutex_;
  std::list<std::shared_ptr<Reader>> readers_ ABSL_GUARDED_BY(mutex_);  // the latest first
};

}  // namespace ltml::monitoring
