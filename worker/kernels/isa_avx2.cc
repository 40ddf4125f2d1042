// Compiled with -mavx2 -mfma.
#include "worker/kernels/isa_loops.h"
#include "worker/kernels/isa_of.h"

namespace ltml::kernels {

const Isa& Avx2Loops() {
  static constexpr Isa kIsa = IsaOf<8>("avx2");
  return kIsa;
}

}  // namespace ltml::kernels
