#pragma once

// The loops of batch norm (isa.h) for vectors of V floats: a panel of channels at a time, down its
// pixels.  Each source file of an instruction set includes it once.
#include "worker/kernels/isa.h"
#include "worker/kernels/simd.h"

namespace ltml::kernels {
namespace {

// Keeps a NaN, as a rectifier must: a run whose numbers break down has to be seen.
template <int V>
inline Vector<V> Rectify(Vector<V> v) {
  return v < 0 ? Vector<V>{} : v;
}

// A panel of one operand; absent operands are never loaded.
template <int V>
struct Panel {
  static constexpr int kVectors = kPanel / V;
  Vector<V> v[kVectors];

  static Panel At(const float* from) {
    Panel panel;
    for (int j = 0; j < kVectors; ++j) panel.v[j] = Load<V>(from + j * V);
    return panel;
  }
  static Panel Zero() {
    Panel panel;
    for (int j = 0; j < kVectors; ++j) panel.v[j] = Vector<V>{};
    return panel;
  }
  void To(float* to) const {
    for (int j = 0; j < kVectors; ++j) Store<V>(to + j * V, v[j]);
  }
};

template <int V>
void NormSums(const Cell& cell, const float* y, const float* pivot, float* sum,
              float* sum_of_squares) {
  for (int c = 0; c < cell.channels; c += kPanel) {
    const auto middle = Panel<V>::At(pivot + c);
    auto total = Panel<V>::Zero(), squares = Panel<V>::Zero();
    const float* from = y + c;
    for (int64_t p = 0; p < cell.count; ++p, from += cell.pitch) {
      for (int j = 0; j < Panel<V>::kVectors; ++j) {
        const Vector<V> d = Load<V>(from + j * V) - middle.v[j];
        total.v[j] += d;
        squares.v[j] += d * d;
      }
    }
    total.To(sum + c);
    squares.To(sum_of_squares + c);
  }
}

enum class Shortcut { kNone, kPlain, kScaled };

template <int V, Shortcut kind>
void ApplyPanel(const Cell& cell, const NormApply& norm, int channel) {
  const auto a = Panel<V>::At(norm.a + channel), b = Panel<V>::At(norm.b + channel);
  auto c = Panel<V>::Zero(), d = Panel<V>::Zero();
  if constexpr (kind == Shortcut::kScaled) {
    c = Panel<V>::At(norm.c + channel);
    d = Panel<V>::At(norm.d + channel);
  }
  for (int64_t p = 0; p < cell.count; ++p) {
    const int64_t at = p * cell.pitch + channel;
    for (int j = 0; j < Panel<V>::kVectors; ++j) {
      Vector<V> z = Load<V>(norm.y + at + j * V) * a.v[j] + b.v[j];
      if constexpr (kind == Shortcut::kPlain) z += Load<V>(norm.x + at + j * V);
      if constexpr (kind == Shortcut::kScaled) {
        z += Load<V>(norm.x + at + j * V) * c.v[j] + d.v[j];
      }
      Store<V>(norm.z + at + j * V, norm.rectify ? Rectify<V>(z) : z);
    }
  }
}

template <int V>
void ApplyNorm(const Cell& cell, const NormApply& norm) {
  for (int channel = 0; channel < cell.channels; channel += kPanel) {
    if (norm.x == nullptr) {
      ApplyPanel<V, Shortcut::kNone>(cell, norm, channel);
    } else if (norm.c == nullptr) {
      ApplyPanel<V, Shortcut::kPlain>(cell, norm, channel);
    } else {
      ApplyPanel<V, Shortcut::kScaled>(cell, norm, channel);
    }
  }
}

template <int V, bool stored_z, bool second>
void ReducePanel(const Cell& cell, const NormReduce& norm, int channel) {
  const auto mean = Panel<V>::At(norm.mean + channel);
  auto a = Panel<V>::Zero(), b = Panel<V>::Zero(), x_mean = Panel<V>::Zero();
  if constexpr (!stored_z) {
    a = Panel<V>::At(norm.a + channel);
    b = Panel<V>::At(norm.b + channel);
  }
  if constexpr (second) x_mean = Panel<V>::At(norm.x_mean + channel);
  auto sum_g = Panel<V>::Zero(), sum_gy = Panel<V>::Zero(), sum_gx = Panel<V>::Zero();
  for (int64_t p = 0; p < cell.count; ++p) {
    const int64_t at = p * cell.pitch + channel;
    for (int j = 0; j < Panel<V>::kVectors; ++j) {
      const Vector<V> y = Load<V>(norm.y + at + j * V);
      const Vector<V> z = stored_z ? Load<V>(norm.z + at + j * V) : y * a.v[j] + b.v[j];
      const Vector<V> g = z > 0 ? Load<V>(norm.dz + at + j * V) : Vector<V>{};
      Store<V>(norm.dz + at + j * V, g);
      sum_g.v[j] += g;
      sum_gy.v[j] += g * (y - mean.v[j]);
      if constexpr (second) sum_gx.v[j] += g * (Load<V>(norm.x + at + j * V) - x_mean.v[j]);
    }
  }
  sum_g.To(norm.sum_g + channel);
  sum_gy.To(norm.sum_gy + channel);
  if constexpr (second) sum_gx.To(norm.sum_gx + channel);
}

template <int V>
void ReduceNorm(const Cell& cell, const NormReduce& norm) {
  for (int channel = 0; channel < cell.channels; channel += kPanel) {
    if (norm.z == nullptr) {
      ReducePanel<V, false, false>(cell, norm, channel);
    } else if (norm.x == nullptr) {
      ReducePanel<V, true, false>(cell, norm, channel);
    } else {
      ReducePanel<V, true, true>(cell, norm, channel);
    }
  }
}

template <int V>
void GradientNorm(const Cell& cell, const NormGradient& norm) {
  for (int channel = 0; channel < cell.channels; channel += kPanel) {
    const auto mean = Panel<V>::At(norm.mean + channel), a = Panel<V>::At(norm.p + channel),
               q = Panel<V>::At(norm.q + channel), r = Panel<V>::At(norm.r + channel);
    for (int64_t p = 0; p < cell.count; ++p) {
      const int64_t at = p * cell.pitch + channel;
      for (int j = 0; j < Panel<V>::kVectors; ++j) {
        const Vector<V> y = Load<V>(norm.y + at + j * V) - mean.v[j];
        Store<V>(norm.y + at + j * V,
                 Load<V>(norm.g + at + j * V) * a.v[j] + (y * q.v[j] + r.v[j]));
      }
    }
  }
}

}  // namespace
}  // namespace ltml::kernels
