#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace ltml::kernels {

// Zeroed memory for floats, aligned to 64 bytes; large pieces lie on huge pages where the system
// has them.  Throws std::bad_alloc.  Move-only.
class FloatMemory {
 public:
  FloatMemory() = default;
  explicit FloatMemory(int64_t floats);

  float* data() const { return data_.get(); }
  int64_t size() const { return size_; }
  // Grows to at least `floats`; what it held is lost then.
  void Reserve(int64_t floats);

 private:
  class Release {
   public:
    explicit Release(size_t bytes) : bytes_(bytes) {}
    void operator()(float* data) const;

   private:
    size_t bytes_;
  };
  std::unique_ptr<float[], Release> data_{nullptr, Release(0)};
  int64_t size_ = 0;
};

}  // namespace ltml::kernels
