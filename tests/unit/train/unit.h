#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace ltml::train {

// unit(name) of the golden files: values in [-1, 1) that follow from a name.
inline std::vector<double> Unit(std::string_view name, int64_t count) {
  uint64_t state = 0xcbf29ce484222325;
  for (const char c : name) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::vector<double> values(static_cast<size_t>(count));
  for (double& value : values) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    value = static_cast<double>(z >> 40) / (1 << 23) - 1;
  }
  return values;
}

}  // namespace ltml::train
