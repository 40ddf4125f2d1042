#pragma once

#include <memory>

#include "worker/train/collective.h"

namespace ltml::collective {

// One collective of two: `device` takes the buffers on the GPU and `host`, which must live on, all
// others.  The ranks of both are the same.  Operations on one kind of memory run in the order of
// their start; between the two kinds there is no order but Wait's.
std::unique_ptr<train::Collective> MakeByMemory(train::Collective& host,
                                                std::unique_ptr<train::Collective> device);

}  // namespace ltml::collective
