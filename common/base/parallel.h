#pragma once

#include <cstdint>
#include <functional>

namespace ltml::base {

// Calls work(0) .. work(count - 1), each once, on up to `threads` threads, the caller's among them,
// and returns when all are done.  Where the system gives fewer threads, those there are do the
// work.  The calls must not touch each other's data, nor throw.
void ParallelFor(int64_t count, int threads, const std::function<void(int64_t)>& work);

}  // namespace ltml::base
