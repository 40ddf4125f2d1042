#pragma once

#include <cstdint>
#include <functional>

namespace ltml::dataset {

// Threads that decoding uses: one a core, at most 16.
int WorkerThreads();

// Calls work(0) .. work(count - 1), each once, on up to WorkerThreads() threads; returns when all
// are done.  The calls must not touch each other's data.
void ParallelFor(int64_t count, const std::function<void(int64_t)>& work);

// Images handled between two progress calls: enough to keep every thread busy.
int64_t ChunkImages();

}  // namespace ltml::dataset
