#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "worker/engine/network_plan.h"
#include "worker/kernels/batch_norm.h"
#include "worker/kernels/isa.h"

namespace ltml::engine {

// Tensors of one layer.  Weights are [kernel][kernel][in][out] in memory.
struct LayerTensors {
  const float* weight = nullptr;
  kernels::NormTensors norm;
};
struct LayerGradients {
  float* weight = nullptr;
  kernels::NormGradients norm;
};

// A batch of images.  Batch norm takes its statistics from each group of images by itself.
struct BatchShape {
  std::vector<int> groups;  // images of each, at least 1
  int height = 0, width = 0;

  int images() const;
  bool operator==(const BatchShape&) const = default;
};

enum class Purpose { kTraining, kPrediction };

// The network on batches of one shape, in float32.  Results have the same bits for any number of
// threads (kernels).  Memory is taken when the object is made, and reused by every call; threads
// are OpenMP's of the caller.  Throws std::bad_alloc.  For one call at a time.
class Engine {
 public:
  Engine(const NetworkPlan& plan, const BatchShape& batch, Purpose purpose,
         const kernels::Isa& isa);
  ~Engine();

  // images [B][3][H][W] to features [B][feature_channels] of each branch.  For training, batch
  // norm uses and moves statistics of the batch; for prediction, the running ones.
  void Forward(const float* images, std::span<const LayerTensors> layers,
               std::span<float* const> features);
  // Of the last Forward, once, for training only: gradients of all layers, overwritten.  `done` is
  // called for each layer as soon as its gradients are complete, in order of the backward pass.
  void Backward(std::span<const float* const> feature_gradients,
                std::span<const LayerTensors> layers, std::span<const LayerGradients> gradients,
                const std::function<void(int layer)>& done);

  int64_t memory_bytes() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace ltml::engine
