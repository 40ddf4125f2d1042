#include "worker/kernels/memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace ltml::kernels {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

void FloatMemory::Release::operator()(float* data) const { ::munmap(data, bytes_); }

FloatMemory::FloatMemory(int64_t floats) : size_(floats) {
  if (floats == 0) return;
  const size_t bytes =
      (static_cast<size_t>(floats) * sizeof(float) + kHugePage - 1) / kHugePage * kHugePage;
  // The part before the first huge page's border goes back at once.
  void* const whole = ::mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (whole == MAP_FAILED) throw std::bad_alloc();
  const auto start = reinterpret_cast<uintptr_t>(whole);
  const uintptr_t aligned = (start + kHugePage - 1) / kHugePage * kHugePage;
  if (aligned > start) ::munmap(whole, aligned - start);
  const uintptr_t rest = start + kHugePage - aligned;
  if (rest > 0) ::munmap(reinterpret_cast<void*>(aligned + bytes), rest);
  auto* const data = reinterpret_cast<float*>(aligned);
  (void)::madvise(data, bytes, MADV_HUGEPAGE);
  data_ = std::unique_ptr<float[], Release>(data, Release(bytes));
}

void FloatMemory::Reserve(int64_t floats) {
  if (floats > size_) *this = FloatMemory(floats);
}

}  // namespace ltml::kernels
