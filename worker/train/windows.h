#pragma once

#include <chrono>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/statistics/statistics.h"
#include "worker/train/collective.h"
#include "worker/train/grant_source.h"
#include "worker/train/trainer.h"

namespace ltml::train {

// A rank's side of the statistics windows (docs/details.md, Windows, grants, resume): hands over
// its sums when a window is finished, waits for the grant of the next one, and keeps what a
// checkpoint needs.  Window of step s is s / window_steps.  A resumed run adds the global sums of
// the checkpoint to every snapshot once, and never to a report: ranks' own sums start from zero.
// Not thread-safe.
class Windows {
 public:
  // `decay` is beta of docs/method.md; `grants` must live on.
  Windows(int64_t window_steps, int classes, double decay, GrantSource& grants);

  // Before step `step` (steps in order): enters its window where it is a new one.  Returns the
  // grant then, else null.  Errors of Await, or Internal for a grant that does not fit.
  absl::StatusOr<const Grant*> Enter(int64_t step, std::chrono::nanoseconds timeout);

  // This rank's sums of the window that was entered last.
  const statistics::WindowSums& open() const { return open_; }
  statistics::WindowSums& open() { return open_; }

  // State after `step` completed steps, the same on all ranks.  Where `step` ends a window, the
  // next one has not been entered yet: its totals are folded here as the coordinator folds them, so
  // the result does not depend on which grants have arrived, and is right after the last step too.
  absl::StatusOr<StatisticsSnapshot> Snapshot(int64_t step, Collective& collective,
                                              std::chrono::nanoseconds timeout) const;
  // Before the first Enter.  InvalidArgument when the number of classes is off.
  absl::Status Restore(const StatisticsSnapshot& snapshot);

 private:
  const int64_t window_steps_;
  const int classes_;
  const double decay_;
  GrantSource& grants_;
  int64_t entered_ = -1;  // number of the window entered last; -1: none yet
  Grant grant_;
  statistics::DecayedTotals totals_in_force_;  // in `entered_`, or where the run was resumed
  statistics::WindowSums previous_, open_;     // this rank's
  statistics::WindowSums resumed_previous_, resumed_open_;  // global, from the checkpoint
};

}  // namespace ltml::train
