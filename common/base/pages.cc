#include "common/base/pages.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace ltml::base {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLine = 64;

}  // namespace

void Pages::Release::operator()(std::byte* data) const {
  if (mapped_bytes_ == 0) {
    std::free(data);
  } else {
    ::munmap(data, mapped_bytes_);
  }
}

Pages::Pages(size_t bytes) {
  const size_t unit = bytes < kHugePage ? kLine : kHugePage;
  size_ = (bytes + unit - 1) / unit * unit;
  if (size_ >= kHugePage) {
    Map();
  } else if (size_ > 0) {
    Allocate();
  }
}

void Pages::Allocate() {
  auto* const data = static_cast<std::byte*>(std::aligned_alloc(kLine, size_));
  if (data == nullptr) throw std::bad_alloc();
  std::memset(data, 0, size_);
  data_ = std::unique_ptr<std::byte[], Release>(data, Release(0));
}

void Pages::Map() {
  void* const whole = ::mmap(nullptr, size_ + kHugePage, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (whole == MAP_FAILED) throw std::bad_alloc();
  // What lies before the first border of a huge page, and behind the last one, goes back at once.
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(whole) % kHugePage) % kHugePage;
  auto* const data = static_cast<std::byte*>(whole) + before;
  if (before > 0) ::munmap(whole, before);
  ::munmap(data + size_, kHugePage - before);
  (void)::madvise(data, size_, MADV_HUGEPAGE);
  data_ = std::unique_ptr<std::byte[], Release>(data, Release(size_));
}

}  // namespace ltml::base
