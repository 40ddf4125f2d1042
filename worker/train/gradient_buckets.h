#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "worker/model/network.h"
#include "worker/train/bucket_layout.h"
#include "worker/train/collective.h"
#include "worker/train/parameter_memory.h"

namespace ltml::train {

// The trainable parameters of a job, in order of execution: leaves of one floating-point type with
// requires_grad.
struct ParameterSet {
  struct Trait {
    int part = 0;              // of the network, that the parameter belongs to
    bool overwritten = false;  // backward overwrites the gradient, instead of adding to it
  };
  std::vector<model::NamedTensor> parameters;
  std::vector<Trait> traits;

  BucketLayout LayOut(int64_t bucket_bytes) const;
};

// The trainable tensors in flat memory.  Construction moves every parameter's values into the
// memory and makes the parameter a view of it; its gradient is a view too, so backward works in
// place. During backward a hook looks at each gradient while it is in the cache, and counts the
// buckets down; a bucket is handed to `start` when it and all before it are ready: always in the
// order of the layout, so that all ranks and runs sum in one order.
//
// One object a set of parameters; not thread-safe; the parameters must not be used by another
// object of this class.  Destroyed while a sum is under way (a collective failed), it leaves that
// memory to the collective for good.
class GradientBuckets {
 public:
  using Start = std::function<void(int bucket)>;

  struct Soundness {
    double largest = 0;  // magnitude of a sound gradient's numbers
    // Gradients are looked at a bucket at a time, by operators of LibTorch, as a GPU wants it.
    bool by_operators = false;
  };
  // `memory` is laid out for `set`, and lives on.
  GradientBuckets(ParameterSet set, const ParameterMemory& memory, Soundness soundness,
                  Start start);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  // Zeroes the gradients that backward adds to; the sums of this step start from now on.
  void Begin();
  // After backward: starts the buckets that have a parameter without a gradient (zero then).
  void StartRemaining();
  // Instead of Begin and backward, where their work was given to the device in another way: starts
  // all buckets.
  void StartAll();
  // When everything that was started has ended.
  void Finish() { in_flight_ = false; }

  const std::vector<model::NamedTensor>& parameters() const { return set_.parameters; }
  // A tensor over `flat`, laid out as the buckets are, with shape and strides of parameter `index`.
  at::Tensor ViewLike(int index, const std::vector<at::Tensor>& flat) const;
  // The first parameter, in the order of the layout, with an unsound gradient in this step; -1:
  // none.
  int unsound_parameter() const { return unsound_; }
  // The same by operators, where the gradients are: 1 + that number, or 0; a scalar, double.
  at::Tensor UnsoundCode() const;

 private:
  struct Hook;
  void Adopt();
  void Arrived(int index);
  void PlanMeasurement();
  void ZeroGradients();
  bool IsSound(int index) const;
  void Measure(int bucket);
  void StartReady();

  ParameterSet set_;
  const ParameterMemory& memory_;
  const Soundness soundness_;
  const Start start_;
  std::vector<int> parameters_in_bucket_, missing_;
  int next_to_start_ = 0;
  int unsound_ = -1;
  // By operators: gradients of each bucket, what a finding means, and the norms of this step.
  std::vector<std::vector<at::Tensor>> gradients_in_bucket_;
  at::Tensor codes_P_;
  std::vector<at::Tensor> norms_;
  bool in_flight_ = false;
};

// A flat floating-point or int64 tensor as the collective sees it.
Buffer BufferOf(const at::Tensor& flat);

}  // namespace ltml::train
