#pragma once

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "worker/kernels/convolution.h"
#include "worker/kernels/isa.h"

namespace ltml::kernels {

// Values in [-1, 1) that look random and follow from `seed`.
inline std::vector<float> Noise(int64_t count, uint32_t seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 1664525 + 1013904223;
    value = static_cast<float>(seed >> 8) / static_cast<float>(1 << 23) - 1;
  }
  return values;
}

// A map of `pixels` with noise in the channels and zeros in the padding, and slack behind it.
inline std::vector<float> NoiseMap(int64_t pixels, int channels, uint32_t seed) {
  const int padded = PaddedChannels(channels);
  std::vector<float> map = Noise(pixels * padded, seed);
  for (int64_t i = 0; i < pixels * padded; ++i) {
    if (i % padded >= channels) map[i] = 0;
  }
  map.resize(map.size() + kSlack);
  return map;
}

inline void ExpectNear(const std::vector<float>& got, const std::vector<double>& expected,
                       double tolerance) {
  double scale = 1e-12;
  for (const double value : expected) scale = std::max(scale, std::abs(value));
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], tolerance * scale) << "element " << i;
  }
}

// Runs `body` with so many OpenMP threads.
inline void WithThreads(int threads, const std::function<void()>& body) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);
  body();
  omp_set_num_threads(before);
}

// Skips a test where no loops of ours can run.
#define LTML_REQUIRE_ISA() \
  if (BestIsa() == nullptr) GTEST_SKIP() << "this processor has neither AVX2 nor AVX-512"

}  // namespace ltml::kernels
