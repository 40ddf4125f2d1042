#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "common/base/durations.h"
#include "coordinator/service/utc_time.h"
#include "ltml/v1/job_service.pb.h"
#include "ltml/v1/pool_service.pb.h"
#include "ltml/v1/statistics.pb.h"

namespace ltml::service {

using base::Durations;

// Without any yet, by bounds that fit a step of training.
Durations StepDurations();

// What is known of a job beyond what is durable.  Counts never fall while the server runs: steps
// that a new attempt repeats count once.
struct LiveJob {
  v1::Job job;  // as Get tells it
  std::vector<v1::RankStatus>
      ranks;          // with the sums of their times; empty before the first attempt
  int64_t steps = 0;  // completed at least once
  Durations step_durations = StepDurations();
  std::shared_ptr<const v1::ClassStatistics> statistics;  // null: none yet
  // The newest validation and the one before it, with all classes; null: none yet.
  std::shared_ptr<const v1::Report> validation, validation_before;
};

// All that metrics tell of the service, at one moment.
struct Observation {
  UtcTime time;
  std::map<v1::JobState, int64_t> jobs;  // ended ones too
  Durations queue_waits{{}};             // from the queue to slots, since the server started
  double longest_wait_seconds = 0;       // of the jobs that wait now
  std::vector<v1::Host> hosts;
  // Jobs that have had an attempt and have not ended, or not longer ago than monitoring.grace.
  std::vector<LiveJob> live;
};

}  // namespace ltml::service
