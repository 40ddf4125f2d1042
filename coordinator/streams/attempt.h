#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
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

// One window as it must outlive a restart: what ranks said, and the version it made.
struct FoldedWindow {
  int64_t window = 0;
  std::vector<std::string> rank_digests;  // DigestOf each rank's sums, in order of ranks
  statistics::DecayedTotals totals;       // version `window`
};

// sha256 of all numbers, in hexadecimal digits: equal sums have equal digests, and others do not.
std::string DigestOf(const statistics::WindowSums& sums);

// The sums with which a rank ended after `step` steps (see OnFinished).
struct LastSums {
  int64_t step = 0;
  int64_t window = 0;
  statistics::WindowSums sums;
};

// What a message leads to.  Grants may leave when the start and the folded windows of this and of
// every earlier message are durable.
struct Outcome {
  bool starts = false;  // rank 0's first hello: where the attempt starts is decided
  std::vector<FoldedWindow> folded;
  std::vector<Delivery> deliveries;
};

// Windows, versions and grants of one attempt: who may train which steps with which compensation
// (docs/protocol.md).  Version v is version v - 1 decayed and merged with the sums of window v over
// all ranks; window w + 2 is granted with version w as soon as every rank's sums of window w are
// in.  Only windows that begin before the last step are granted.  Integer sums make versions
// independent of the number of ranks and of the order in which they report.
//
// Pure and not thread-safe: every method returns the grants to send, and what must be recorded
// first.  All errors mean that a rank broke the protocol; they leave the object unchanged.  Memory:
// sums of every rank for at most two windows, and three versions.
//
// A new object with the same options goes on where another one was after Restore with what that one
// had recorded.  Sums of windows that were not folded are lost with it, but for those of ranks that
// have finished: ranks keep and send again what no grant has acknowledged.
class AttemptStreams {
 public:
  explicit AttemptStreams(const AttemptOptions& options);

  // A rank's first message.  Rank 0's decides where the attempt starts: nobody gets a grant before.
  // A rank that says hello again gets the grants that it may miss.  InvalidArgument for a rank out
  // of range; FailedPrecondition for a state that fits no step of this run, or for a second hello
  // of rank 0 with another state.  Resumed at the last step: no grants.
  absl::StatusOr<Outcome> OnHello(int rank, const std::optional<Resume>& resume);
  // Sums of a finished window.  An equal repeat is answered with the stored grant; a different one
  // is FailedPrecondition (cause `protocol`), as is a window that cannot be finished yet, a short
  // last window (it comes with `finished`) and a wrong number of classes.
  absl::StatusOr<Outcome> OnReport(int rank, int64_t window, const statistics::WindowSums& sums);
  // Sums of the window that was open when the rank ended after `step` completed steps.  A whole
  // window counts as a report.  A part of one (short last window, or stopped by command) is never
  // published in a version: once all ranks' parts are in, latest_totals() contains them.  Sums
  // without images add nothing.
  absl::StatusOr<Outcome> OnFinished(int rank, int64_t step, int64_t window,
                                     const statistics::WindowSums& sums);

  // Before anything else.  `start` is what rank 0 said in its first hello; `windows` are the last
  // folded ones in order: all of them, or at least kStoredVersions.  FailedPrecondition when they
  // do not fit each other or the options; the object is of no use then.
  absl::Status Restore(const std::optional<Resume>& start, std::vector<FoldedWindow> windows);
  // After Restore, for a rank that had finished: what Unfolded returned then, and its last sums
  // where it had some.
  absl::Status RestoreFinished(int rank, const std::map<int64_t, statistics::WindowSums>& unfolded,
                               const std::optional<LastSums>& last);
  // What a rank has reported of windows that are not folded; to be recorded when it has finished.
  std::map<int64_t, statistics::WindowSums> Unfolded(int rank) const;

  static constexpr int64_t kStoredVersions = 3;

  // Totals after the last folded window, at the end with the open one; for reports and metrics.
  const statistics::DecayedTotals& latest_totals() const { return latest_; }
  // Made of the last folded window; nullopt where the job's mode is not `statistics`.
  std::optional<statistics::Compensation> latest_compensation() const;

 private:
  struct RankState {
    bool hello = false;
    int64_t next_window = 0;                         // the first one not reported
    std::map<int64_t, statistics::WindowSums> sums;  // of unfolded windows
    std::map<int64_t, std::string> digests;          // of the last three folded ones
    std::optional<statistics::WindowSums> open;      // came with `finished`
  };

  absl::Status Start(const std::optional<Resume>& resume);
  absl::Status CheckSender(int rank, const statistics::WindowSums& sums) const;
  absl::Status CheckNext(int rank, int64_t window) const;
  absl::Status CheckClasses(int rank, const statistics::WindowSums& sums) const;
  absl::StatusOr<Outcome> Take(int rank, int64_t window, const statistics::WindowSums& sums);
  absl::StatusOr<Outcome> End(int rank, int64_t step, int64_t window,
                              const statistics::WindowSums& sums);
  absl::StatusOr<Outcome> Repeat(int rank, int64_t window,
                                 const statistics::WindowSums& sums) const;
  bool Complete(int64_t window) const;
  Outcome FoldComplete();
  FoldedWindow Fold(int64_t window);
  absl::Status CheckFolded(const FoldedWindow& folded) const;
  void Refold(FoldedWindow folded);
  void ForgetOld();
  void UpdateLatest();

  bool Exists(int64_t window) const;
  bool Whole(int64_t window) const;
  int64_t LastGranted() const { return newest_ + 2; }
  statistics::WindowSums Seed(int64_t window) const;
  statistics::Compensation CompensationOf(int64_t version) const;
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
