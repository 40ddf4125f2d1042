#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "worker/model/network.h"

namespace ltml::model {

// Batch norm over the batch, updating the running statistics, or with them.
enum class Mode { kTraining, kFrozen };

// How the kernels of convolutions, of shape [out, in, height, width], lie in memory.
enum class KernelLayout {
  kPlain,         // as their shape says
  kFused,         // [height][width][in][out], as the engine wants them
  kChannelsLast,  // [out][height][width][in], as GPUs want them, and bfloat16
};

// Makes a network's tensors, in order of execution, and lists them by name.
class TensorList {
 public:
  // `options`: type and device.
  TensorList(uint64_t seed, const at::TensorOptions& options, KernelLayout layout)
      : seed_(seed), options_(options), layout_(layout) {}

  // Trainable leaves.
  at::Tensor Kernel(std::string name, at::IntArrayRef shape, double deviation);
  at::Tensor Uniform(std::string name, at::IntArrayRef shape, double bound);
  at::Tensor Constant(std::string name, at::IntArrayRef shape, double value);
  at::Tensor Buffer(std::string name, at::IntArrayRef shape, double value);

  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  const std::vector<NamedTensor>& buffers() const { return buffers_; }

 private:
  at::Tensor AddParameter(std::string name, at::Tensor tensor);
  template <typename Fill>  // (std::span<float> or std::span<double>)
  at::Tensor Filled(at::IntArrayRef shape, const Fill& fill) const;

  uint64_t seed_;
  at::TensorOptions options_;
  KernelLayout layout_;
  std::vector<NamedTensor> parameters_, buffers_;
};

// Square kernel, no bias, padding (kernel - 1) / 2, followed by batch norm (momentum 0.1, eps
// 1e-5). Kaiming normal by fan-out for rectifiers; batch norm starts at weight 1, bias 0.
class ConvolutionNorm {
 public:
  struct Shape {
    int64_t in = 0, out = 0, kernel = 1, stride = 1;
  };
  ConvolutionNorm(TensorList& tensors, const std::string& convolution, const std::string& norm,
                  const Shape& shape);
  at::Tensor Forward(const at::Tensor& x_BCHW, Mode mode) const;

  struct Tensors {
    at::Tensor weight, scale, shift, running_mean, running_var;
  };
  const Shape& shape() const { return shape_; }
  const Tensors& tensors() const { return tensors_; }

 private:
  Shape shape_;
  Tensors tensors_;
};

// Starts uniform in +-1 / sqrt(in), weight and bias, as PyTorch's.
class Linear {
 public:
  Linear(TensorList& tensors, const std::string& name, int64_t in, int64_t out);
  at::Tensor Forward(const at::Tensor& x_BC) const { return at::linear(x_BC, weight_, bias_); }
  const at::Tensor& bias() const { return bias_; }

 private:
  at::Tensor weight_, bias_;
};

}  // namespace ltml::model
