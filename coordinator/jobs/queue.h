#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/jobs/placement.h"

namespace ltml::jobs {

// The place of a waiting job: higher priority first, then jobs that recover, then by submission.
struct QueueKey {
  int priority = 0;
  bool recovering = false;
  int64_t order = 0;  // of submission
  friend std::strong_ordering operator<=>(const QueueKey& a, const QueueKey& b);
  friend bool operator==(const QueueKey&, const QueueKey&) = default;
};

struct WaitingJob {
  std::string job;
  Demand demand;
};

struct Holder {
  std::string job;
  Placements placements;
};

struct Pool {
  std::vector<HostSlots> hosts;  // `free` is what the holders leave
  std::vector<Holder> holders;
};

struct Placed {
  std::string job;
  Placements placements;
  bool backfilled = false;
};

// How many waiting jobs, from the front, one pass looks at; the others cost nothing.
inline constexpr size_t kLookAhead = 32;
// Backfill is decided exactly up to so many things that can happen (below), and so many states.
inline constexpr size_t kMostEvents = 14;
inline constexpr size_t kMostStates = 4096;

// The jobs to start now, of `waiting` in queue order: from the front as long as they fit, then
// backfill behind the first that does not.  Pure.
//
// A job c may pass the jobs ahead of it only if it cannot delay any of them.  Run times are
// unknown, so that is decided over all orders of what can happen: a holder ends, an unusable host
// comes back, a job ahead that has started ends, c ends.  Two pools are followed side by side, one
// with c and one without; after every event jobs ahead start in order as long as they fit.  c
// passes if in every reachable pair of pools the same jobs ahead have started.  Pairs that were
// seen are not followed again.  With more than kMostEvents events or kMostStates pairs, c waits.
// Jobs and hosts of another device do not matter to c and are left out.
std::vector<Placed> Schedule(const Pool& pool, const std::vector<WaitingJob>& waiting);

// May `candidate` start at `placements` before all of `ahead`, none of which fits now?
bool CannotDelay(const Pool& pool, const std::vector<WaitingJob>& ahead, const Demand& candidate,
                 const Placements& placements);

// What a waiting job waits for, in one sentence; `ahead` jobs come before it.
std::string WaitReason(const Demand& demand, const std::vector<HostSlots>& hosts, int64_t ahead);

}  // namespace ltml::jobs
