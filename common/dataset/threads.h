#pragma once

#include <algorithm>
#include <cstdint>
#include <thread>

namespace ltml::dataset {

// Threads that decoding uses: one a core, at most 16.
inline int WorkerThreads() {
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
}

// Images handled between two progress calls: enough to keep every thread busy.
inline int64_t ChunkImages() { return int64_t{32} * WorkerThreads(); }

}  // namespace ltml::dataset
