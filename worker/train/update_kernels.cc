#include "worker/train/update_kernels.h"

#include <bit>
#include <cmath>
#include <type_traits>

namespace ltml::train {

template <typename T>
void SgdUpdate(const SgdRates& rates, int64_t n, const T* __restrict g, T* __restrict p,
               T* __restrict m) {
  const T lr = static_cast<T>(rates.learning_rate);
  const T decay = static_cast<T>(rates.weight_decay);
  const T momentum = static_cast<T>(rates.momentum);
  if (rates.momentum == 0) {
    for (int64_t i = 0; i < n; ++i) p[i] -= lr * (g[i] + decay * p[i]);
  } else if (rates.nesterov) {
    for (int64_t i = 0; i < n; ++i) {
      const T d = g[i] + decay * p[i];
      m[i] = momentum * m[i] + d;
      p[i] -= lr * (d + momentum * m[i]);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) {
      m[i] = momentum * m[i] + (g[i] + decay * p[i]);
      p[i] -= lr * m[i];
    }
  }
}

template <typename T>
void AdamUpdate(const AdamRates& rates, int64_t n, const T* __restrict g, T* __restrict p,
                T* __restrict m, T* __restrict v) {
  const double t = static_cast<double>(rates.t);
  const T keep = static_cast<T>(1 - rates.learning_rate * rates.weight_decay);
  const T one_minus_beta1 = static_cast<T>(1 - rates.beta1);
  const T beta2 = static_cast<T>(rates.beta2);
  const T one_minus_beta2 = static_cast<T>(1 - rates.beta2);
  const T step = static_cast<T>(rates.learning_rate / (1 - std::pow(rates.beta1, t)));
  const T root = static_cast<T>(std::sqrt(1 - std::pow(rates.beta2, t)));
  const T epsilon = static_cast<T>(rates.epsilon);
  for (int64_t i = 0; i < n; ++i) {
    m[i] += one_minus_beta1 * (g[i] - m[i]);
    v[i] = beta2 * v[i] + one_minus_beta2 * g[i] * g[i];
    p[i] = keep * p[i] - step * m[i] / (std::sqrt(v[i]) / root + epsilon);
  }
}

// All exponent bits set means infinite or NaN; an integer test vectorises where isfinite does not.
template <typename T>
bool AllFinite(int64_t n, const T* values) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  constexpr int kMantissaBits = sizeof(T) == 4 ? 23 : 52;
  constexpr Bits kExponent = (sizeof(T) == 4 ? Bits{0xff} : Bits{0x7ff}) << kMantissaBits;
  // Adding one unit to an exponent of all ones carries into the sign bit.
  constexpr Bits kUnit = Bits{1} << kMantissaBits;
  Bits seen = 0;
  for (int64_t i = 0; i < n; ++i) seen |= (std::bit_cast<Bits>(values[i]) & kExponent) + kUnit;
  return (seen >> (sizeof(T) * 8 - 1)) == 0;
}

template void SgdUpdate<float>(const SgdRates&, int64_t, const float*, float*, float*);
template void SgdUpdate<double>(const SgdRates&, int64_t, const double*, double*, double*);
template void AdamUpdate<float>(const AdamRates&, int64_t, const float*, float*, float*, float*);
template void AdamUpdate<double>(const AdamRates&, int64_t, const double*, double*, double*,
                                 double*);
template bool AllFinite<float>(int64_t, const float*);
template bool AllFinite<double>(int64_t, const double*);

}  // namespace ltml::train
