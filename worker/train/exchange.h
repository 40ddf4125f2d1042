#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "worker/train/collective.h"
#include "worker/train/parameter_memory.h"
#include "worker/train/tail.h"

namespace ltml::train {

// How the gradients of all ranks become the sums that the optimiser works on.  Every rank calls
// the same methods in the same order.  After an error the object is of no more use.
class Exchange {
 public:
  virtual ~Exchange() = default;
  // This rank's gradients of a bucket are complete; buckets come in the order of the layout.
  virtual void Start(int bucket) = 0;
  // After the last bucket: sums the tail over all ranks.  What the thread gives a GPU from now on
  // begins after all sums, and Await must follow; on the processor they have ended.
  virtual absl::Status Combine(StepTail& tail, std::chrono::nanoseconds limit) = 0;
  // Until the sums have ended.
  virtual absl::Status Await(std::chrono::nanoseconds limit) = 0;
  // After the optimiser's step, which may have been of this rank's part of the weights: until all
  // weights are updated, everywhere.
  virtual absl::Status Settle(std::chrono::nanoseconds limit) = 0;
  // The gradient of a bucket, summed over ranks; while all ranks rest between two steps.
  virtual at::Tensor SummedGradient(int bucket) const = 0;
  // Makes the optimiser's state whole on every rank.
  virtual absl::Status GatherState(std::chrono::nanoseconds limit) = 0;
};

// Sums every bucket over all ranks with the collective while backward goes on; every rank updates
// all weights.
std::unique_ptr<Exchange> MakeAllReduceExchange(const ParameterMemory& memory,
                                                Collective& collective);

// Where ranks share memory, and with it the weights: each updates its part of them from the
// gradients of all, which it reads where they are.  Of the moments a rank has its own part only
// (Rajbhandari et al. 2020, "ZeRO", stage 1).
std::unique_ptr<Exchange> MakeSharedExchange(const ParameterMemory& memory);

}  // namespace ltml::train
