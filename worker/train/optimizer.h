#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "worker/model/network.h"
#include "worker/train/gradient_buckets.h"
#include "worker/train/trainer.h"

namespace ltml::train {

// SGD with momentum or AdamW over the flat buckets, with PyTorch's arithmetic (update_kernels.h).
// Moments are flat buffers of the same layout.  The result has the same bits for any number of
// threads.  Not thread-safe.
class Optimizer {
 public:
  // `buckets` must live on.  With decay_norm = false, parameters of at most one dimension (batch
  // norm, biases, learnable sigma and mu) are not decayed.
  Optimizer(const TrainerOptions& options, const GradientBuckets& buckets);

  // One update with the gradients in the buckets, which stay as they are.  `step` counts from 0.
  void Step(int64_t step, double learning_rate);

  // "momentum.<parameter>", or "adam_m.<parameter>" and "adam_v.<parameter>": views.
  std::vector<model::NamedTensor> State() const;
  // The flat buffers behind them.
  std::vector<at::Tensor> FlatState() const;

 private:
  // Neighbouring elements of one bucket with the same weight decay.
  struct Segment {
    int bucket = 0;
    int64_t begin = 0, end = 0;
    bool decayed = true;
  };
  void PlanSegments();
  template <typename T>
  void Update(const Segment& segment, int64_t step, double learning_rate);
  template <typename T>
  void UpdateRange(const Segment& segment, int64_t begin, int64_t end, int64_t step,
                   double learning_rate);

  const OptimizerKind kind_;
  const double momentum_, weight_decay_, beta1_, beta2_;
  const bool decay_norm_;
  const GradientBuckets& buckets_;
  std::vector<Segment> segments_;
  std::vector<at::Tensor> first_, second_;  // momentum or m; v
};

}  // namespace ltml::train
