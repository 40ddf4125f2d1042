#pragma once

#include <cstdint>
#include <vector>

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

// Memory of operations that run one after the other: a piece for each thread.
class Scratch {
 public:
  // Before threads take theirs.
  void Prepare(int threads) {
    if (threads > static_cast<int>(pieces_.size())) pieces_.resize(threads);
  }
  // At least `floats`, which is the thread's until it takes again.
  float* Take(int thread, int64_t floats) {
    pieces_[thread].Reserve(floats);
    return pieces_[thread].data();
  }

 private:
  std::vector<FloatMemory> pieces_;
};

}  // namespace ltml::kernels
