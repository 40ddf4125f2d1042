#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ltml::testing {

// unit(name) of tests/golden/README.md: SplitMix64 started from the name's FNV-1a hash.
inline std::vector<double> Unit(std::string_view name, int64_t count) {
  uint64_t state = 0xcbf29ce484222325;
  for (const char c : name) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) {
    state += 0x9e3779b97f4a7c15;
    uint64_t z = (state ^ state >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    values.push_back(static_cast<double>((z ^ z >> 31) >> 40) / 8388608.0 - 1);
  }
  return values;
}

// Scale and offset of a state-dict entry: value = offset + scale * unit.
struct Affine {
  double scale, offset;
};
inline Affine AffineOf(std::string_view key, const std::vector<int64_t>& shape) {
  if (shape.size() == 4) {
    const double fan_in = static_cast<double>(shape[1] * shape[2] * shape[3]);
    return {std::sqrt(6.0 / fan_in), 0};
  }
  if (shape.size() == 2) return {std::sqrt(1.0 / static_cast<double>(shape[1])), 0};
  if (key.ends_with("running_var")) return {0.5, 1};
  if (key.ends_with("weight")) return {0.25, 0.75};
  return {0.1, 0};
}

// A state-dict entry by formula, rounded to float32.
inline std::vector<float> StateEntry(std::string_view key, const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  const Affine affine = AffineOf(key, shape);
  std::vector<float> values;
  for (const double u : Unit(key, count)) {
    values.push_back(static_cast<float>(affine.offset + affine.scale * u));
  }
  return values;
}

}  // namespace ltml::testing
