#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/durations.h"
#include "coordinator/service/live_job.h"
#include "ltml/v1/dataset.pb.h"

namespace ltml::monitoring {

// Calls of one method that have ended.
struct CallCounts {
  std::string service, method;             // "ltml.v1.JobService", "Submit"
  std::map<std::string, int64_t> by_code;  // "OK", "NotFound"
  base::Durations durations{{}};
};

struct Disk {
  std::string folder;  // "store", "runs"
  double size_bytes = 0;
  double free_bytes = 0;
};

// What the server is as a process.
struct ServerFacts {
  std::string version;
  double start_seconds = 0;  // Unix time
  double cpu_seconds = 0;
  double resident_bytes = 0;
  int64_t open_files = 0;
  int64_t log_lines_dropped = 0;
  std::vector<Disk> disks;
  base::Durations commits{{}};
  int64_t store_errors = 0;
  std::vector<CallCounts> calls;
};

// All that metrics are made of, at one moment.
struct Snapshot {
  ServerFacts server;
  service::Observation service;
  // Class tables of jobs, by name; of others nothing is told by class.
  std::map<std::string, std::shared_ptr<const v1::DatasetInfo>> classes;
  int64_t class_series = 0;          // that all jobs together may have
  int64_t class_series_dropped = 0;  // by collections before
};

struct Collection {
  std::vector<prometheus::MetricFamily> families;
  int64_t class_series_dropped = 0;  // by this one
};

// Pure: metrics.h as the snapshot has it.  Series of classes: those of SelectClasses, or all where
// the job says so; jobs in order of their names until the budget is used up.
Collection Collect(const Snapshot& snapshot);

}  // namespace ltml::monitoring
