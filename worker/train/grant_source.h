#pragma once

#include <chrono>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/statistics/statistics.h"

namespace ltml::train {

// Permission for the steps [first_step, end_step) of one statistics window, and the compensation in
// force there.
struct Grant {
  int64_t window = 0;
  int64_t first_step = 0;
  int64_t end_step = 0;
  int64_t version = -2;  // window - 2; negative: neutral
  statistics::Compensation compensation;
  statistics::DecayedTotals totals;
};

// Port of the trainer: the coordinator's side of the sample streams and statistics.
class GrantSource {
 public:
  virtual ~GrantSource() = default;
  // Waits for the grant of `window`.  DeadlineExceeded after `timeout`; Aborted when this attempt
  // is over (fenced, or the lease ran out), with the reason.
  virtual absl::StatusOr<Grant> Await(int64_t window, std::chrono::nanoseconds timeout) = 0;
  // Hands over this rank's sums of a finished window.  Does not block.
  virtual void Report(int64_t window, const statistics::WindowSums& sums) = 0;
};

// What rank 0 is asked to do at the end of a step.
enum class Command { kNone, kCheckpoint, kStop };

enum class Phase { kStart, kWeights, kStep, kEvaluation, kCheckpoint };

// Loss parts are means over the global batch; consistency without lambda.
struct StepReport {
  int64_t step = 0;  // completed steps
  double loss = 0, classification_uniform = 0, classification_rebalanced = 0, consistency = 0;
  double learning_rate = 0;
  double images_per_second = 0;  // of both streams, all ranks
  double data_wait_ratio = 0;    // share of the time since the last report spent waiting for images
  double grant_wait_seconds = 0;
};

// Where the time of a rank's steps went; what is no wait is compute.
struct RankTimes {
  int64_t steps = 0;
  double data_wait_seconds = 0;
  double compute_seconds = 0;
  double collective_wait_seconds = 0;  // for sums over ranks, with nothing left to compute
  double grant_wait_seconds = 0;
};

// Port of the trainer: whom it tells how far it is, and who may interrupt it.
class Monitor {
 public:
  virtual ~Monitor() = default;
  // Cheap, lock-free; called at least once a step, evaluation batch and checkpoint tensor.
  virtual void Progress(Phase phase, int64_t counter, int64_t step) = 0;
  // Rank 0, at logged steps.
  virtual void Step(const StepReport& report) = 0;
  // Every rank, at logged steps: the times since its last report.
  virtual void Times(const RankTimes& times) = 0;
  // The command to agree on at the end of this step; only rank 0's counts.
  virtual Command Poll() = 0;
};

}  // namespace ltml::train
