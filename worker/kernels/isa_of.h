#pragma once

#include "worker/kernels/channels.h"
#include "worker/kernels/isa.h"
#include "worker/kernels/pool_rows.h"
#include "worker/kernels/tiles.h"

namespace ltml::kernels {
namespace {

// All loops for vectors of V floats; for the source file of an instruction set.
template <int V>
constexpr Isa IsaOf(const char* name) {
  return {.name = name,
          .tile_panels = kTilePanels<V>,
          .gather = GatherAny<V>,
          .outer = OuterAny<V>,
          .transpose = Transpose,
          .pack_rows = PackRows,
          .pack_panels = PackPanels,
          .norm_sums = NormSums<V>,
          .norm_apply = ApplyNorm<V>,
          .norm_reduce = ReduceNorm<V>,
          .norm_gradient = GradientNorm<V>,
          .pool_row = PoolOneRow<V>,
          .pool_gradient_row = PoolGradientOneRow<V>};
}

}  // namespace
}  // namespace ltml::kernels
