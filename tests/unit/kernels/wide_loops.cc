#include "tests/unit/kernels/wide_loops.h"

#include "worker/kernels/isa_of.h"

namespace ltml::kernels {

const Isa& WideLoops() {
  static constexpr Isa kIsa = IsaOf<16>("wide");
  return kIsa;
}

std::vector<const Isa*> AllLoops() {
  std::vector<const Isa*> all = {Avx2(), &WideLoops()};
  if (Avx512() != nullptr) all.push_back(Avx512());
  return all;
}

}  // namespace ltml::kernels
