#pragma once

#include <ATen/ATen.h>

#include <chrono>
#include <vector>

#include "absl/status/status.h"
#include "worker/train/collective.h"

namespace ltml::train {

// Sends rank 0's values of flat tensors to all ranks, in place.
absl::Status BroadcastFlat(const std::vector<at::Tensor>& flat, Collective& collective,
                           std::chrono::nanoseconds timeout);

// Compares sha256 over the bytes of flat tensors on all ranks.  Internal names the first rank that
// differs from rank 0, on all ranks alike.
absl::Status CheckSame(const std::vector<at::Tensor>& flat, Collective& collective,
                       std::chrono::nanoseconds timeout);

}  // namespace ltml::train
