#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/monitoring/collect.h"
#include "coordinator/service/job_manager.h"

namespace ltml::monitoring {

struct ScrapeOptions {
  service::JobManager* manager = nullptr;  // must outlive it
  int64_t class_series = 0;                // monitoring.class_series
  std::function<ServerFacts()> server;
};

// Answers scrapes: takes a snapshot, collects, and writes the text format.  Reads the class tables
// of jobs that it has not seen from their run folders, and keeps them while the jobs are told.
// Thread-safe; scrapes run one after the other.
class Scrape {
 public:
  explicit Scrape(ScrapeOptions options) : options_(std::move(options)) {}
  std::string Text();

 private:
  using ClassTable = std::shared_ptr<const v1::DatasetInfo>;
  void RenewClasses(const service::Observation& seen) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ScrapeOptions options_;
  absl::Mutex mutex_;
  std::map<std::string, ClassTable> classes_ ABSL_GUARDED_BY(mutex_);
  int64_t class_series_dropped_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ltml::monitoring
