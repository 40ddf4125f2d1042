#pragma once

#include "worker/kernels/isa.h"

namespace ltml::kernels {

// The loops of each set, whether this processor has it or not.
const Isa& Avx2Loops();
const Isa& Avx512Loops();

}  // namespace ltml::kernels
