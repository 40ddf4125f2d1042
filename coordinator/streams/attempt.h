#pragma once

#include <chrono>
#include <cstdint>
#include <map>
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

// Where a run goes on: the state after `step` completed steps, inside window w = step / window.
// Parts without classes count as zero where the window has none (see OnHello).
struct Resume {
  int64_t step = 0;
  statistics::DecayedTotals totals_in_force;  // version w - 2
  statistics::WindowSums previous_window;     // of all ranks, window w - 1
  statistics::WindowSums open_window;         // of all ranks, window w so far
};

// Permission for the steps [first_step, end_step) of one window.  first_step is the window's own
// first step, also where a run is resumed inside the window.
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
// (docs/protocol.md).  Version v is version v - 1 decayed and merged with the sums of window v over
// all ranks; window w + 2 is granted with version w as soon as every rank's sums of window w are
// in.  Only windows that begin before the last step are granted.  Integer sums make versions
// independent of the number of ranks and of the order in which they report.
//
// Pure and not thread-safe: every method returns the grants to send.  All errors mean that a rank
// broke the protocol; they leave the object unchanged.  Memory: sums of every rank for at most five
// windows, and three versions.
class AttemptStreams {
 public:
  explicit AttemptStreams(const AttemptOptions& options);

  // A rank's first message.  Rank 0's decides where the attempt starts: nobody gets a grant before.
  // A rank that says hello again gets the grants that it may miss.  InvalidArgument for a rank out
  // of range; FailedPrecondition for a state that fits no step of this run, or for a second hello
  // of rank 0 with another state.  Resumed at the last step: no grants.
  absl::StatusOr<std::vector<Delivery>> OnHello(int rank, const std::optional<Resume>& resume);
  // Sums of a finished window.  An equal repeat is answered with the stored grant; a different one
  // is FailedPrecondition (cause `protocol`), as is a window that cannot be finished yet, a short
  // last window (it comes with `finished`) and a wrong number of classes.
  absl::StatusOr<std::vector<Delivery>> OnReport(int rank, int64_t window,
                                                 const statistics::WindowSums& sums);
  // Sums of the window that was open when the rank ended after `step` completed steps.  A whole
  // window counts as a report.  A part of one (short last window, or stopped by command) is never
  // published in a version: once all ranks' parts are in, latest_totals() contains them.  Sums
  // without images add nothing.
  absl::StatusOr<std::vector<Delivery>> OnFinished(int rank, int64_t step, int64_t window,
                                                   const statistics::WindowSums& sums);

  // Totals after the last folded window, at the end with the open one; for reports and metrics.
  const statistics::DecayedTotals& latest_totals() const { return latest_; }

 private:
  struct RankState {
    bool hello = false;
    int64_t next_window = 0;                         // the first one not reported
    std::map<int64_t, statistics::WindowSums> sums;  // unfolded windows and the last three folded
    std::optional<statistics::WindowSums> open;      // came with `finished`
  };

  absl::Status Start(const std::optional<Resume>& resume);
  absl::Status CheckSender(int rank, const statistics::WindowSums& sums) const;
  absl::Status CheckNext(int rank, int64_t window) const;
  absl::StatusOr<std::vector<Delivery>> Repeat(int rank, int64_t window,
                                               const statistics::WindowSums& sums) const;
  bool Complete(int64_t window) const;
  std::vector<Delivery> FoldComplete();
  void Fold(int64_t window);
  void ForgetOld();
  void UpdateLatest();

  bool Exists(int64_t window) const;
  bool Whole(int64_t window) const;
  int64_t LastGranted() const { return newest_ + 2; }
  statistics::WindowSums Seed(int64_t window) const;
  WindowGrant Grant(int64_t window) const;
  void GrantTo(int rank, std::vector<Delivery>& deliveries) const;

  const AttemptOptions options_;
  bool started_ = false;
  Resume start_;         // as given, missing parts filled with zeros
  int64_t newest_ = -1;  // version of the last folded window
  std::map<int64_t, statistics::DecayedTotals> versions_;  // the last three
  std::vector<RankState> ranks_;
  statistics::DecayedTotals latest_;
};

}  // namespace ltml::streams
