// Compiled with -mavx512f and what goes with it on every such processor.
#include "worker/kernels/isa_loops.h"
#include "worker/kernels/isa_of.h"

namespace ltml::kernels {

const Isa& Avx512Loops() {
  static constexpr Isa kIsa = IsaOf<16>("avx512");
  return kIsa;
}

}  // namespace ltml::kernels
