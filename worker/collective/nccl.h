#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "worker/train/collective.h"

namespace ltml::collective {

// The 128 bytes by which the ranks of one communicator find each other.
using NcclId = std::array<int64_t, 16>;

// Sums whose bits depend on nothing but the ranks: the ring algorithm in one protocol, and none in
// the switches.  Sets NCCL_ALGO, NCCL_PROTO and NCCL_NVLS_ENABLE where the environment does not.
// Before the first use of NCCL, while the process has one thread.
void PinNcclAlgorithms();

// Rank 0 makes an id, and `host` brings it to the other ranks.  For one MakeNccl.
absl::StatusOr<NcclId> ShareNcclId(train::Collective& host, std::chrono::nanoseconds timeout);

struct NcclOptions {
  int rank = 0;
  int world_size = 1;
  int device = 0;  // CUDA's number of this rank's GPU
  NcclId id{};
  std::chrono::nanoseconds start_limit{};  // until all ranks have come
  std::chrono::nanoseconds call_limit{};   // until NCCL has taken up one operation
  // The cudaStream_t that the calling thread gives its work to.
  std::function<void*()> stream;
};

// NCCL, for buffers on the GPU of each rank.  Operations run on a stream of their own with high
// priority, beside the caller's work: each begins when what the caller's stream held at its start
// is done.  Wait looks at the operation, at NCCL's errors and at the clock in turns.  After an
// error or a deadline, the work in flight is taken off the GPU.  Errors name the rank and the
// operation.
absl::StatusOr<std::unique_ptr<train::Collective>> MakeNccl(const NcclOptions& options);

}  // namespace ltml::collective
