#include "worker/model/kernel_layout.h"

#include <algorithm>
#include <cstdint>

namespace ltml::model {
namespace {

// Calls copy(place in [out][in][taps], place in [taps][in][out]) for every element; 16 of a row of
// the second at once, which walk along 16 rows of the first.
template <typename Copy>
void ForAll(int64_t out, int64_t in, int64_t taps, const Copy& copy) {
  constexpr int64_t kBlock = 16;
  for (int64_t begin = 0; begin < out; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, out);
    for (int64_t i = 0; i < in; ++i) {
      for (int64_t t = 0; t < taps; ++t) {
        const int64_t column = i * taps + t, row = (t * in + i) * out;
        for (int64_t o = begin; o < end; ++o) copy(o * in * taps + column, row + o);
      }
    }
  }
}

bool IsFloatKernel(const at::Tensor& tensor) {
  return tensor.dim() == 4 && tensor.scalar_type() == at::kFloat && tensor.device().is_cpu();
}

}  // namespace

at::Tensor ToKernelLayout(const at::Tensor& kernel) {
  const at::Tensor permuted = kernel.permute({2, 3, 1, 0});
  if (!IsFloatKernel(kernel)) return permuted.contiguous().permute({3, 2, 0, 1});
  at::Tensor memory = at::empty(permuted.sizes(), kernel.options());
  const float* const from = kernel.const_data_ptr<float>();
  float* const to = memory.mutable_data_ptr<float>();
  ForAll(kernel.size(0), kernel.size(1), kernel.size(2) * kernel.size(3),
         [=](int64_t place, int64_t in_kernel) { to[in_kernel] = from[place]; });
  return memory.permute({3, 2, 0, 1});
}

at::Tensor Contiguous(const at::Tensor& tensor) {
  if (!IsFloatKernel(tensor) || tensor.is_contiguous() ||
      !tensor.permute({2, 3, 1, 0}).is_contiguous()) {
    return tensor.contiguous();
  }
  at::Tensor copy = at::empty(tensor.sizes(), tensor.options());
  const float* const from = tensor.const_data_ptr<float>();
  float* const to = copy.mutable_data_ptr<float>();
  ForAll(tensor.size(0), tensor.size(1), tensor.size(2) * tensor.size(3),
         [=](int64_t place, int64_t in_kernel) { to[place] = from[in_kernel]; });
  return copy;
}

}  // namespace ltml::model
