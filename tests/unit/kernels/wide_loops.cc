#include "tests/unit/kernels/wide_loops.h"

#include "worker/kernels/isa_of.h"

namespace ltml::kernels {

const Isa& WideLoops() {
  static constexpr Isa kIsa = IsaOf<16>("wide");
  return kIsa;
}

}  // namespace ltml::kernels
