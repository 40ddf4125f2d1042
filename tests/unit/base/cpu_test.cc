#include "common/base/cpu.h"

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace ltml::base {
namespace {

#if defined(__x86_64__)
bool KernelNames(std::string_view feature) {
  std::ifstream file("/proc/cpuinfo");
  std::stringstream text;
  text << file.rdbuf();
  return text.str().find(feature) != std::string::npos;
}

TEST(HasAvx2, AgreesWithTheKernelUnlessToldOtherwise) {
  EXPECT_EQ(HasAvx2(), KernelNames(" avx2 ") && SimdWish() != "portable");
}

TEST(HasAvx512, AgreesWithTheKernelUnlessToldOtherwise) {
  EXPECT_EQ(HasAvx512(), KernelNames(" avx512bw ") && KernelNames(" avx512vl ") &&
                             SimdWish() != "portable" && SimdWish() != "avx2");
}

TEST(HasBfloat16, AgreesWithTheKernel) { EXPECT_EQ(HasBfloat16(), KernelNames(" avx512_bf16 ")); }
#else
TEST(HasAvx2, IsNoMatterOfOtherProcessors) { EXPECT_FALSE(HasAvx2() || HasAvx512()); }
TEST(HasBfloat16, IsNotToldOfOtherProcessors) { EXPECT_FALSE(HasBfloat16()); }
#endif

// The example of the header: all versions of one kernel give the same bits.
LTML_KERNEL void Add(const float* a, const float* b, float* sums, int count) {
  for (int i = 0; i < count; ++i) sums[i] = a[i] * b[i] + a[i] / 3;
}
void AddPortable(const float* a, const float* b, float* sums, int count) { Add(a, b, sums, count); }
LTML_AVX2 void AddAvx2(const float* a, const float* b, float* sums, int count) {
  Add(a, b, sums, count);
}
LTML_AVX512 void AddAvx512(const float* a, const float* b, float* sums, int count) {
  Add(a, b, sums, count);
}

void ExpectSame(decltype(AddPortable)* wide) {
  float a[37], b[37], expected[37], got[37];
  for (int i = 0; i < 37; ++i) {
    a[i] = 1.0f / static_cast<float>(i + 3);
    b[i] = 0.7f * static_cast<float>(i);
  }
  AddPortable(a, b, expected, 37);
  wide(a, b, got, 37);
  for (int i = 0; i < 37; ++i) EXPECT_EQ(expected[i], got[i]) << i;
}

TEST(Kernels, GiveTheSameBitsWithAvx2) {
  if (!HasAvx2()) GTEST_SKIP() << "no AVX2 here, or forbidden by LTML_SIMD";
  ExpectSame(AddAvx2);
}

TEST(Kernels, GiveTheSameBitsWithAvx512) {
  if (!HasAvx512()) GTEST_SKIP() << "no AVX-512 here, or forbidden by LTML_SIMD";
  ExpectSame(AddAvx512);
}

}  // namespace
}  // namespace ltml::base
