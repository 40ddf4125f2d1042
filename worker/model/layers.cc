#include "worker/model/layers.h"

#include <c10/util/accumulate.h>

#include <cmath>
#include <utility>

#include "worker/model/initialisation.h"

namespace ltml::model {

at::Tensor TensorList::AddParameter(std::string name, at::Tensor tensor) {
  tensor.set_requires_grad(true);
  parameters_.push_back({std::move(name), tensor});
  return tensor;
}

at::Tensor TensorList::FromValues(const std::vector<double>& values, at::IntArrayRef shape) const {
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(type_));
  tensor.copy_(at::from_blob(const_cast<double*>(values.data()), shape,
                             at::TensorOptions().dtype(at::kDouble)));
  return tensor;
}

at::Tensor TensorList::Kernel(std::string name, at::IntArrayRef shape, double deviation) {
  const auto values = NormalValues(seed_, name, c10::multiply_integers(shape), deviation);
  at::Tensor kernel = FromValues(values, shape);
  if (fused_layout_) kernel = kernel.permute({2, 3, 1, 0}).contiguous().permute({3, 2, 0, 1});
  return AddParameter(std::move(name), kernel);
}

at::Tensor TensorList::Uniform(std::string name, at::IntArrayRef shape, double bound) {
  const auto values = UniformValues(seed_, name, c10::multiply_integers(shape), bound);
  return AddParameter(std::move(name), FromValues(values, shape));
}

at::Tensor TensorList::Constant(std::string name, at::IntArrayRef shape, double value) {
  return AddParameter(std::move(name), at::full(shape, value, at::TensorOptions().dtype(type_)));
}

at::Tensor TensorList::Buffer(std::string name, at::IntArrayRef shape, double value) {
  buffers_.push_back({std::move(name), at::full(shape, value, at::TensorOptions().dtype(type_))});
  return buffers_.back().tensor;
}

ConvolutionNorm::ConvolutionNorm(TensorList& tensors, const std::string& convolution,
                                 const std::string& norm, const Shape& shape)
    : shape_(shape),
      tensors_{.weight = tensors.Kernel(
                   convolution + ".weight", {shape.out, shape.in, shape.kernel, shape.kernel},
                   std::sqrt(2.0 / static_cast<double>(shape.out * shape.kernel * shape.kernel))),
               .scale = tensors.Constant(norm + ".weight", {shape.out}, 1),
               .shift = tensors.Constant(norm + ".bias", {shape.out}, 0),
               .running_mean = tensors.Buffer(norm + ".running_mean", {shape.out}, 0),
               .running_var = tensors.Buffer(norm + ".running_var", {shape.out}, 1)} {}

at::Tensor ConvolutionNorm::Forward(const at::Tensor& x_BCHW, Mode mode) const {
  const int64_t padding = (shape_.kernel - 1) / 2;
  const at::Tensor y_BCHW = at::conv2d(x_BCHW, tensors_.weight, {}, {shape_.stride, shape_.stride},
                                       at::IntArrayRef{padding, padding});
  return at::batch_norm(y_BCHW, tensors_.scale, tensors_.shift, tensors_.running_mean,
                        tensors_.running_var, mode == Mode::kTraining, 0.1, 1e-5, true);
}

Linear::Linear(TensorList& tensors, const std::string& name, int64_t in, int64_t out)
    : weight_(tensors.Uniform(name + ".weight", {out, in}, 1 / std::sqrt(in))),
      bias_(tensors.Uniform(name + ".bias", {out}, 1 / std::sqrt(in))) {}

}  // namespace ltml::model
