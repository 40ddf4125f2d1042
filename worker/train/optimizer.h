#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/model/network.h"
#include "worker/train/gradient_buckets.h"
#include "worker/train/parameter_memory.h"
#include "worker/train/trainer.h"

namespace ltml::train {

// SGD with momentum or AdamW over the flat memory of parameters, with PyTorch's arithmetic
// (update_kernels.h).  Where the memory is shared by the ranks, it updates this rank's shard of
// every bucket with the sum of the gradients of all ranks, in their order; else everything, with
// the gradients as they stand.  The same bits for any number of threads.  Not thread-safe.
class Optimizer {
 public:
  // `buckets` and `memory` must live on.  With decay_norm = false, parameters of at most one
  // dimension (batch norm, biases, learnable sigma and mu) are not decayed.  `by_operators`: with
  // LibTorch's fused operators, as on a GPU; the same numbers but for rounding.
  Optimizer(const TrainerOptions& options, const GradientBuckets& buckets,
            const ParameterMemory& memory, bool by_operators);

  // One update; the gradients stay as they are.  `step` counts from 0.  `faulty`, by operators
  // alone: a float32 scalar on the device; where it is 1, the update changes nothing.
  void Step(int64_t step, double learning_rate, const at::Tensor& faulty = {});

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
  void StepByOperators(bool decayed, int64_t step, double learning_rate,
                       const std::optional<at::Tensor>& faulty);
  template <typename T>
  void Update(const Segment& segment, int64_t step, double learning_rate);
  template <typename T>
  void UpdateRange(const Segment& segment, Shard range, int64_t step, double learning_rate);
  template <typename T>
  void UpdateWith(const T* g, const Segment& segment, Shard range, int64_t step,
                  double learning_rate);

  const OptimizerKind kind_;
  const double momentum_, weight_decay_, beta1_, beta2_;
  const bool decay_norm_, by_operators_;
  const GradientBuckets& buckets_;
  const ParameterMemory& memory_;  // first moment: momentum or m; second: v
  std::vector<Segment> segments_;
};

}  // namespace ltml::train
