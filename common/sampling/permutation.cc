#include "common/sampling/permutation.h"

#include <cassert>
#include <cmath>

namespace ltml::sampling {

uint64_t PermutationDomain::SideFor(uint64_t size) {
  assert(size >= 1 && size <= uint64_t{1} << 63);
  auto side = static_cast<uint64_t>(std::sqrt(static_cast<double>(size)));
  while (side * side >= size && side > 0) --side;
  while (side * side < size) ++side;
  return side <= 2 ? 2 : side + side % 2;
}

}  // namespace ltml::sampling
