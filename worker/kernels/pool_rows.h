#pragma once

// The loops of StemPool (isa.h) for vectors of V floats.
#include "worker/kernels/isa.h"
#include "worker/kernels/simd.h"

namespace ltml::kernels {
namespace {

template <int V>
struct Lanes {
  typedef int32_t Int __attribute__((vector_size(V * 4)));
  typedef uint8_t Byte __attribute__((vector_size(V), aligned(1), may_alias));
};

// The maximum of a pixel and the tap that it came from, the first one of equals.
template <int V>
void PoolPixel(const PoolRow& row, int x, int channel) {
  using Int = typename Lanes<V>::Int;
  using Byte = typename Lanes<V>::Byte;
  const Vector<V> scale = Load<V>(row.scale + channel), shift = Load<V>(row.shift + channel);
  Vector<V> best{};
  Int from = Int{} + kNowhere;
  for (int tap = 0; tap < 9; ++tap) {
    const float* const line = row.rows[tap / 3];
    const int in_x = 2 * x + tap % 3 - 1;
    if (line == nullptr || in_x < 0 || in_x >= row.in_width) continue;
    const Vector<V> z = Load<V>(line + int64_t{in_x} * row.channels + channel) * scale + shift;
    const Int better = (z > best) | (z != z);  // a NaN stays
    best = better ? z : best;
    from = better ? Int{} + tap : from;
  }
  const int64_t at = int64_t{x} * row.channels + channel;
  Store<V>(row.z + at, best);
  *reinterpret_cast<Byte*>(row.from + at) = __builtin_convertvector(from, Byte);
}

template <int V>
void PoolOneRow(const PoolRow& row) {
  for (int x = 0; x < row.out_width; ++x) {
    for (int channel = 0; channel < row.channels; channel += V) PoolPixel<V>(row, x, channel);
  }
}

// What the pixels of z that read pixel x send back.
template <int V>
void PoolGradientPixel(const PoolGradientRow& row, int x, int channel) {
  using Int = typename Lanes<V>::Int;
  using Byte = typename Lanes<V>::Byte;
  Vector<V> g{};
  for (int r = 0; r < 2; ++r) {
    if (row.dz[r] == nullptr) continue;
    for (int out_x = x / 2; out_x <= (x + 1) / 2 && out_x < row.out_width; ++out_x) {
      const int32_t tap = row.kernel_row[r] * 3 + x + 1 - 2 * out_x;
      const int64_t at = int64_t{out_x} * row.channels + channel;
      const Int from =
          __builtin_convertvector(*reinterpret_cast<const Byte*>(row.from[r] + at), Int);
      g += from == tap ? Load<V>(row.dz[r] + at) : Vector<V>{};
    }
  }
  Store<V>(row.g + int64_t{x} * row.channels + channel, g);
}

template <int V>
void PoolGradientOneRow(const PoolGradientRow& row) {
  for (int x = 0; x < row.in_width; ++x) {
    for (int channel = 0; channel < row.channels; channel += V) {
      PoolGradientPixel<V>(row, x, channel);
    }
  }
}

}  // namespace
}  // namespace ltml::kernels
