#pragma once

#include <cstdlib>
#include <string_view>

// One way to wider vectors than the build's baseline, which stays portable: a function is compiled
// a second time for AVX2 and called where the processor has it.
//
//   LTML_AVX2 void AddAvx2(...) { ... intrinsics of <immintrin.h>, or a shared kernel ... }
//   void Add(...) { base::HasAvx2() ? AddAvx2(...) : AddPortable(...); }
//
// For the same bits everywhere write one LTML_KERNEL body and call it from both: neither version
// fuses a multiplication with an addition, and the compiler vectorises each as far as it may.  A
// lambda does not get the instruction set of the function around it.
#if defined(__x86_64__)
#define LTML_AVX2 __attribute__((target("avx2")))
#else
#define LTML_AVX2
#endif
#define LTML_KERNEL inline __attribute__((always_inline))

namespace ltml::base {

// Whether functions marked LTML_AVX2 may run: the processor has AVX2, and the environment does not
// say LTML_SIMD=portable.  Decided once.  Thread-safe.
inline bool HasAvx2() {
#if defined(__x86_64__)
  static const bool has = [] {
    const char* wish = std::getenv("LTML_SIMD");
    const bool portable = wish != nullptr && std::string_view(wish) == "portable";
    return !portable && __builtin_cpu_supports("avx2") != 0;
  }();
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
