#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/service/job_manager.h"
#include "ltml/v1/dataset.pb.h"

namespace ltml::coordinator {

// The data that jobs of the service name: below the configured roots, whole, and of one class
// table.  What it read of a set is kept until the set's files change.  Thread-safe.
class JobData {
 public:
  explicit JobData(std::vector<std::filesystem::path> roots) : roots_(std::move(roots)) {}

  // Adds a violation for each of data.train, data.validation, data.test and model.weights that
  // cannot be used; InvalidArgument if there is any.
  absl::StatusOr<service::DataFacts> Inspect(const v1::JobSpec& spec,
                                             std::vector<v1::FieldViolation>* violations);
  // Makes the job's run folder with job.json and dataset.json, unless it is there.
  absl::Status PrepareRun(const v1::Job& job);

 private:
  struct Set {
    std::string stamp;  // of its files; another one: they were changed
    v1::DatasetInfo info;
    std::vector<std::string> classes;
  };
  absl::StatusOr<Set> Read(const std::filesystem::path& folder);

  const std::vector<std::filesystem::path> roots_;
  absl::Mutex mutex_;
  std::map<std::string, Set> sets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ltml::coordinator
