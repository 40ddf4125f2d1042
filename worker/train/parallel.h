#pragma once

#include <cstdint>
#include <functional>

namespace ltml::train {

// Calls body(part begin, part end) for parts of [begin, end), none shorter than `grain` while there
// are several, on the OpenMP threads of the caller, and returns when all are done.  `body` must not
// throw.  LibTorch's parallel_for does this only in files that are compiled for OpenMP.
void InParallel(int64_t begin, int64_t end, int64_t grain,
                const std::function<void(int64_t, int64_t)>& body);

}  // namespace ltml::train
