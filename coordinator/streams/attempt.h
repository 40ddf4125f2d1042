#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/statistics/statistics.h"

namespace ltml::streams {

// Steady time, handed in: decisions here read no clock.
using Time = std::chrono::steady_clock::time_point;

struct AttemptOptions {
  int64_t epoch = 1;
  int world_size = 1;
  int classes = 0;
  int64_t steps = 0;
  int64_t window = 20;
  double decay = 0.9;
  double prior = 50;
  bool compensate = true;  // false: every grant is neutral (modes other than `statistics`)
  statistics::Form form = statistics::Form::kRelative;
};

struct Resume {
  int64_t step = 0;
  statistics::DecayedTotals totals_in_force;
  statistics::WindowSums previous_window;
  statistics::WindowSums open_window;
};

struct WindowGrant {
  int64_t window = 0;
  int64_t first_step = 0;
  int64_t end_step = 0;
  int64_t version = -2;
  statistics::Compensation compensation;
  statistics::DecayedTotals totals;
};

struct Delivery {
  int rank = 0;
  WindowGrant grant;
};

// Windows, versions and grants of one attempt: who may train which steps with which compensation
// (docs/details.md).  Pure and not thread-safe: every method returns the grants to send.
class AttemptStreams {
 public:
  explicit AttemptStreams(const AttemptOptions& options);

  // A rank's first message.  Rank 0's decides where the attempt starts: nobody gets a grant before.
  absl::StatusOr<std::vector<Delivery>> OnHello(int rank, const std::optional<Resume>& resume);
  // Sums of a finished window.  An equal repeat is answered with the stored grant; a different one is
  // FailedPrecondition (cause `protocol`), as is a window that cannot be finished yet.
  absl::StatusOr<std::vector<Delivery>> OnReport(int rank, int64_t window,
                                                 const statistics::WindowSums& sums);

  // Totals after the last folded window; for reports and metrics.
  const statistics::DecayedTotals& latest_totals() const;
};

}  // namespace ltml::streams
