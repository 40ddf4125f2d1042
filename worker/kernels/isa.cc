#include "worker/kernels/isa.h"

#include "common/base/cpu.h"
#include "worker/kernels/isa_loops.h"

namespace ltml::kernels {

const Isa* Avx2() {
  const bool here = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  return here ? &Avx2Loops() : nullptr;
}

const Isa* Avx512() {
  const bool here =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  return here ? &Avx512Loops() : nullptr;
}

const Isa* BestIsa() {
  if (!base::HasAvx2()) return nullptr;
  return base::HasAvx512() && Avx512() != nullptr ? Avx512() : Avx2();
}

}  // namespace ltml::kernels
