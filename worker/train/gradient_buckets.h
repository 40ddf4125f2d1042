#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "worker/model/network.h"
#include "worker/train/bucket_layout.h"
#include "worker/train/collective.h"

namespace ltml::train {

// The trainable tensors in flat memory.  Construction moves every parameter's values into a flat
// buffer a bucket and makes the parameter a view of it; its gradient is a view of a second buffer,
// so backward accumulates in place.  During backward a hook counts each bucket's gradients down,
// and the bucket's sum over ranks starts when it and all buckets before it are ready: always in the
// order of the layout, so that all ranks and runs sum in one order.
//
// One object a set of parameters; not thread-safe; the parameters must not be used by another
// object of this class.  Destroyed while a sum is under way (a collective failed), it leaves that
// memory to the collective for good.
class GradientBuckets {
 public:
  // `parameters` in order of execution, leaves of one floating-point type with requires_grad.
  struct Trait {
    int part = 0;              // of the network, that the parameter belongs to
    bool overwritten = false;  // backward overwrites the gradient, instead of adding to it
  };
  GradientBuckets(std::vector<model::NamedTensor> parameters, std::vector<Trait> traits,
                  int64_t bucket_bytes, Collective& collective);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  // Zeroes the gradients that backward adds to; the sums of this step start from now on.
  void Begin();
  // After backward: starts the buckets that have a parameter without a gradient (zero then).
  void StartRemaining();
  // After the collective's Wait for everything that was started.
  void Finish() { in_flight_ = false; }

  const std::vector<model::NamedTensor>& parameters() const { return parameters_; }
  const BucketLayout& layout() const { return layout_; }
  int buckets() const { return static_cast<int>(values_.size()); }
  // [elements] each.
  const at::Tensor& values(int bucket) const { return values_[bucket]; }
  const at::Tensor& gradients(int bucket) const { return gradients_[bucket]; }
  // A tensor over `flat`, laid out as the buckets are, with shape and strides of parameter `index`.
  at::Tensor ViewLike(int index, const std::vector<at::Tensor>& flat) const;
  const std::vector<at::Tensor>& all_gradients() const { return gradients_; }
  // Name of the first parameter, in order of the layout, with a gradient that is not finite; empty
  // when all are.
  std::string FirstNonFinite() const;

 private:
  struct Hook;
  void Adopt();
  void Arrived(int bucket);
  void StartReady();

  std::vector<model::NamedTensor> parameters_;
  const std::vector<Trait> traits_;
  Collective& collective_;
  BucketLayout layout_;
  std::vector<at::Tensor> values_, gradients_;
  std::vector<int> parameters_in_bucket_, missing_;
  int next_to_start_ = 0;
  bool in_flight_ = false;
};

// A flat floating-point or int64 tensor as the collective sees it.
Buffer BufferOf(const at::Tensor& flat);

}  // namespace ltml::train
