#pragma once

// Vectors of V floats, V = 8 or 16, as the compiler's own types.  Included only by files that are
// compiled for one instruction set; everything in them is in an unnamed namespace, because the same
// template compiled for two sets must not become one function.
#include "worker/kernels/isa.h"

namespace ltml::kernels {
namespace {

template <int V>
struct VectorOf;
template <>
struct VectorOf<8> {
  typedef float Float __attribute__((vector_size(32), aligned(4), may_alias));
};
template <>
struct VectorOf<16> {
  typedef float Float __attribute__((vector_size(64), aligned(4), may_alias));
};
template <int V>
using Vector = typename VectorOf<V>::Float;

template <int V>
inline Vector<V> Load(const float* from) {
  return *reinterpret_cast<const Vector<V>*>(from);
}
template <int V>
inline void Store(float* to, Vector<V> value) {
  *reinterpret_cast<Vector<V>*>(to) = value;
}
template <int V>
inline Vector<V> Splat(float x) {
  if constexpr (V == 8) {
    return Vector<8>{x, x, x, x, x, x, x, x};
  } else {
    return Vector<16>{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
  }
}

}  // namespace
}  // namespace ltml::kernels
