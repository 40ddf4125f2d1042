#pragma once

#include <ATen/ATen.h>

#include <chrono>

#include "absl/status/status.h"
#include "common/statistics/statistics.h"

namespace ltml::train {

// statistics::WindowSums::Add by operators of LibTorch, so that the logits of a step stay on their
// device: the sums, exact integers there too, come over once a window.  Not thread-safe.
class TensorMoments {
 public:
  TensorMoments(int classes, at::Device device);

  // Logits and 0/1 labels, both [B, K], of one branch.  Undefined or empty logits add nothing. What
  // logits that are not finite add is of no use.
  void Add(statistics::Branch branch, const at::Tensor& logits_BK, const at::Tensor& labels_BK);
  // Adds what has come since the last call to `sums`, when the device is done with the work that it
  // has been given: DeadlineExceeded after `limit`.
  absl::Status MoveTo(statistics::WindowSums& sums, std::chrono::nanoseconds limit);

 private:
  const int classes_;
  at::Tensor sums_;  // int64 [branch][sign][n, sum q, sum q^2][K], WindowSums::Flatten's order
};

}  // namespace ltml::train
