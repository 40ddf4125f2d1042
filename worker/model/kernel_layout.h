#pragma once

#include <ATen/ATen.h>

namespace ltml::model {

// Kernels [out, in, height, width] of convolutions lie as [height][width][in][out] in memory where
// worker/kernels works on them.  These copies go block by block; LibTorch's go through memory an
// element at a time.

// `kernel` is contiguous.
at::Tensor ToKernelLayout(const at::Tensor& kernel);
// As tensor.contiguous().
at::Tensor Contiguous(const at::Tensor& tensor);

}  // namespace ltml::model
