#pragma once

#include <cstddef>
#include <memory>

namespace ltml::base {

// Zeroed memory, aligned to 64 bytes at least.  From one huge page on it consists of whole ones,
// and lies on such where the system has them (transparent_hugepage: always or madvise).  Throws
// std::bad_alloc.  Move-only.
class Pages {
 public:
  Pages() = default;
  explicit Pages(size_t bytes);

  std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  class Release {
   public:
    explicit Release(size_t mapped_bytes) : mapped_bytes_(mapped_bytes) {}
    void operator()(std::byte* data) const;

   private:
    size_t mapped_bytes_;  // 0: from the heap
  };
  void Allocate();
  void Map();

  std::unique_ptr<std::byte[], Release> data_{nullptr, Release(0)};
  size_t size_ = 0;
};

}  // namespace ltml::base
