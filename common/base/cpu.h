#pragma once

#include <cstdlib>
#include <string_view>

// One way to wider vectors than the build's baseline, which stays portable: a function is compiled
// once more for AVX2, or AVX-512 too, and called where the processor has it.
//
//   LTML_AVX2 void AddAvx2(...) { ... intrinsics of <immintrin.h>, or a shared kernel ... }
//   void Add(...) { base::HasAvx2() ? AddAvx2(...) : AddPortable(...); }
//
// For the same bits everywhere write one LTML_KERNEL body and call it from all.  No version may
// fuse a multiplication with an addition: a file with floating point in LTML_AVX512, which can, is
// compiled with -ffp-contract=off.  A lambda does not get the instruction set of the function
// around it.
#if defined(__x86_64__)
#define LTML_AVX2 __attribute__((target("avx2")))
#define LTML_AVX512 __attribute__((target("avx512bw,avx512vl")))
#else
#define LTML_AVX2
#define LTML_AVX512
#endif
#define LTML_KERNEL inline __attribute__((always_inline))

namespace ltml::base {

// LTML_SIMD of the environment: "portable" forbids AVX2 and AVX-512, "avx2" AVX-512.
inline std::string_view SimdWish() {
  const char* wish = std::getenv("LTML_SIMD");
  return wish != nullptr ? wish : "";
}

// Whether functions marked LTML_AVX2 may run: the processor has AVX2, and LTML_SIMD does not
// forbid it.  Decided once.  Thread-safe.
inline bool HasAvx2() {
#if defined(__x86_64__)
  static const bool has = SimdWish() != "portable" && __builtin_cpu_supports("avx2") != 0;
  return has;
#else
  return false;
#endif
}

// The same of LTML_AVX512.
inline bool HasAvx512() {
#if defined(__x86_64__)
  static const bool has = HasAvx2() && SimdWish() != "avx2" &&
                          __builtin_cpu_supports("avx512bw") != 0 &&
                          __builtin_cpu_supports("avx512vl") != 0;
  return has;
#else
  return false;
#endif
}

// Whether the processor multiplies bfloat16 numbers: it has AVX512-BF16, as all with AMX have.
inline bool HasBfloat16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

}  // namespace ltml::base
