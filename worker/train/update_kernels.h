#pragma once

#include <cstdint>

namespace ltml::train {

// Loops over flat arrays of `n` elements, for float and double.  Element by element, so any split
// of the arrays gives the same bits.

// p, m and g: parameters, momentum, gradients.  PyTorch's form, no damping:
//   d = g + weight_decay p;  m = momentum m + d;  p -= lr (nesterov ? d + momentum m : m)
// m must start at zero.  With momentum 0, p -= lr d and m, which may be null, is left alone.
struct SgdRates {
  double learning_rate = 0, momentum = 0, weight_decay = 0;
  bool nesterov = false;
};
template <typename T>
void SgdUpdate(const SgdRates& rates, int64_t n, const T* g, T* p, T* m);

// PyTorch's AdamW, t the number of this update from 1:
//   p *= 1 - lr weight_decay;  m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2
//   p -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
struct AdamRates {
  double learning_rate = 0, beta1 = 0.9, beta2 = 0.999, weight_decay = 0, epsilon = 1e-8;
  int64_t t = 1;
};
template <typename T>
void AdamUpdate(const AdamRates& rates, int64_t n, const T* g, T* p, T* m, T* v);

// sum = g where `first`, else sum += g.
template <typename T>
void AddTo(bool first, int64_t n, const T* g, T* sum);

// Whether every element is a number of at most `limit` in magnitude; `limit` is finite.
template <typename T>
bool AllWithin(int64_t n, const T* values, T limit);

}  // namespace ltml::train
