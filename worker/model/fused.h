#pragma once

#include <ATen/ATen.h>

#include <array>
#include <memory>
#include <vector>

#include "worker/model/resnet.h"

namespace ltml::engine {
class Engine;
}

namespace ltml::model {

// Whether this processor has the instructions of the fused kernels.
bool FusedIsAvailable();

// Trunk and branches up to the pooled features, by worker/engine in place of LibTorch's operators.
// It reads and writes the layers' own tensors, wherever they lie at the time of a call.  Backward
// overwrites the gradients of the layers' parameters and calls their hooks
// (set_post_acc_grad_hooks) as soon as each is complete.
class FusedFeatures {
 public:
  // References to the layers' tensors are kept, not the layers.  `branches`: one or two.
  FusedFeatures(const Trunk& trunk, const std::vector<const Stage*>& branches);
  ~FusedFeatures();

  // Pooled features [B, C] of each branch, with gradients.  Batch norm takes its statistics from
  // each group of images by itself.  One Forward at a time: its backward pass comes before the
  // next call.
  std::vector<at::Tensor> Forward(const at::Tensor& x_B3HW, const std::vector<int>& groups);
  // The same with running statistics, without gradients.
  std::vector<at::Tensor> Predict(const at::Tensor& x_B3HW);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace ltml::model
