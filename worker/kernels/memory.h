#pragma once

#include <cstdint>

#include "common/base/pages.h"

namespace ltml::kernels {

// Zeroed floats on pages of their own.  Throws std::bad_alloc.  Move-only.
class FloatMemory {
 public:
  FloatMemory() = default;
  explicit FloatMemory(int64_t floats) : pages_(static_cast<size_t>(floats) * sizeof(float)) {}

  float* data() const { return reinterpret_cast<float*>(pages_.data()); }
  int64_t size() const { return static_cast<int64_t>(pages_.size() / sizeof(float)); }
  // Grows to at least `floats`; what it held is lost then.
  void Reserve(int64_t floats) {
    if (floats > size()) *this = FloatMemory(floats);
  }

 private:
  base::Pages pages_;
};

}  // namespace ltml::kernels
