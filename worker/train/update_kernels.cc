#include "worker/train/update_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "common/base/cpu.h"

namespace ltml::train {
namespace {

template <typename T>
struct SgdNumbers {
  explicit SgdNumbers(const SgdRates& rates)
      : lr(static_cast<T>(rates.learning_rate)),
        decay(static_cast<T>(rates.weight_decay)),
        momentum(static_cast<T>(rates.momentum)) {}
  T lr, decay, momentum;
};

template <typename T>
LTML_KERNEL void Sgd(const SgdRates& rates, int64_t n, const T* __restrict g, T* __restrict p,
                     T* __restrict m) {
  const auto [lr, decay, momentum] = SgdNumbers<T>(rates);
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
struct AdamNumbers {
  explicit AdamNumbers(const AdamRates& rates)
      : keep(static_cast<T>(1 - rates.learning_rate * rates.weight_decay)),
        one_minus_beta1(static_cast<T>(1 - rates.beta1)),
        beta2(static_cast<T>(rates.beta2)),
        one_minus_beta2(static_cast<T>(1 - rates.beta2)),
        epsilon(static_cast<T>(rates.epsilon)) {
    const double t = static_cast<double>(rates.t);
    step = static_cast<T>(rates.learning_rate / (1 - std::pow(rates.beta1, t)));
    root = static_cast<T>(std::sqrt(1 - std::pow(rates.beta2, t)));
  }
  T keep, one_minus_beta1, beta2, one_minus_beta2, epsilon, step{}, root{};
};

template <typename T>
LTML_KERNEL void Adam(const AdamNumbers<T>& c, int64_t n, const T* __restrict g, T* __restrict p,
                      T* __restrict m, T* __restrict v) {
  for (int64_t i = 0; i < n; ++i) {
    m[i] += c.one_minus_beta1 * (g[i] - m[i]);
    v[i] = c.beta2 * v[i] + c.one_minus_beta2 * g[i] * g[i];
    p[i] = c.keep * p[i] - c.step * m[i] / (std::sqrt(v[i]) / c.root + c.epsilon);
  }
}

template <typename T>
LTML_KERNEL void Add(bool first, int64_t n, const T* __restrict g, T* __restrict sum) {
  if (first) {
    std::copy_n(g, n, sum);
  } else {
    for (int64_t i = 0; i < n; ++i) sum[i] += g[i];
  }
}

// Magnitudes as integers are ordered as the numbers are, infinity and NaN beyond all.  A difference
// with the sign bit set is one that is too large; comparing would vectorise worse.
template <typename T>
LTML_KERNEL bool Within(int64_t n, const T* values, T limit) {
  using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  constexpr Bits kMagnitude = ~(Bits{1} << (sizeof(T) * 8 - 1));
  const Bits most = std::bit_cast<Bits>(limit);
  Bits seen = 0;
  for (int64_t i = 0; i < n; ++i) seen |= most - (std::bit_cast<Bits>(values[i]) & kMagnitude);
  return seen >= 0;
}

template <typename T>
LTML_AVX2 void SgdAvx2(const SgdRates& rates, int64_t n, const T* g, T* p, T* m) {
  Sgd<T>(rates, n, g, p, m);
}
template <typename T>
LTML_AVX2 void AdamAvx2(const AdamNumbers<T>& c, int64_t n, const T* g, T* p, T* m, T* v) {
  Adam<T>(c, n, g, p, m, v);
}
template <typename T>
LTML_AVX2 void AddAvx2(bool first, int64_t n, const T* g, T* sum) {
  Add<T>(first, n, g, sum);
}
template <typename T>
LTML_AVX2 bool WithinAvx2(int64_t n, const T* values, T limit) {
  return Within<T>(n, values, limit);
}

}  // namespace

template <typename T>
void SgdUpdate(const SgdRates& rates, int64_t n, const T* g, T* p, T* m) {
  base::HasAvx2() ? SgdAvx2<T>(rates, n, g, p, m) : Sgd<T>(rates, n, g, p, m);
}

template <typename T>
void AdamUpdate(const AdamRates& rates, int64_t n, const T* g, T* p, T* m, T* v) {
  const AdamNumbers<T> c(rates);
  base::HasAvx2() ? AdamAvx2<T>(c, n, g, p, m, v) : Adam<T>(c, n, g, p, m, v);
}

template <typename T>
void AddTo(bool first, int64_t n, const T* g, T* sum) {
  base::HasAvx2() ? AddAvx2<T>(first, n, g, sum) : Add<T>(first, n, g, sum);
}

template <typename T>
bool AllWithin(int64_t n, const T* values, T limit) {
  return base::HasAvx2() ? WithinAvx2<T>(n, values, limit) : Within<T>(n, values, limit);
}

template void SgdUpdate<float>(const SgdRates&, int64_t, const float*, float*, float*);
template void SgdUpdate<double>(const SgdRates&, int64_t, const double*, double*, double*);
template void AdamUpdate<float>(const AdamRates&, int64_t, const float*, float*, float*, float*);
template void AdamUpdate<double>(const AdamRates&, int64_t, const double*, double*, double*,
                                 double*);
template void AddTo<float>(bool, int64_t, const float*, float*);
template void AddTo<double>(bool, int64_t, const double*, double*);
template bool AllWithin<float>(int64_t, const float*, float);
template bool AllWithin<double>(int64_t, const double*, double);

}  // namespace ltml::train
