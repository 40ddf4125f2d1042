#pragma once

#include "worker/kernels/isa.h"

namespace ltml::kernels {

// The loops of AVX-512, compiled for AVX2: what they compute can be tested where they cannot run.
const Isa& WideLoops();

}  // namespace ltml::kernels
