#pragma once

#include <vector>

#include "worker/kernels/isa.h"

namespace ltml::kernels {

// The loops of AVX-512, compiled for AVX2: what they compute can be tested where they cannot run.
const Isa& WideLoops();

// Every set of loops that this processor runs; the first is that of AVX2.
std::vector<const Isa*> AllLoops();

}  // namespace ltml::kernels
