#pragma once

#include <atomic>
#include <climits>
#include <cstdint>

#include "absl/status/status.h"
#include "worker/train/collective.h"

namespace ltml::collective {

// The MPI calls.  All of one process must come from one thread.

struct MpiWorld {
  int rank = 0;
  int size = 1;
};

// MPI_Init_thread (funneled) with errors returned instead of aborting.
absl::Status InitialiseMpi(MpiWorld* world);
absl::Status FinaliseMpi();

// Waits until all ranks have come to the same call, asleep most of the time, so that a rank that is
// early leaves its core to those that still compute.  Cancelled once `abandoned` is set.
absl::Status MeetAllRanks(const std::atomic<bool>& abandoned);

// In-place sum, or broadcast from `root`.  Buffers of more than `chunk` elements, MPI's int at
// most, go in several calls.
absl::Status SumOverRanks(const train::Buffer& buffer, int64_t chunk = INT_MAX);
absl::Status BroadcastFrom(const train::Buffer& buffer, int root, int64_t chunk = INT_MAX);

}  // namespace ltml::collective
