#include "common/dataset/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace ltml::dataset {

int WorkerThreads() {
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
}

void ParallelFor(int64_t count, const std::function<void(int64_t)>& work) {
  std::atomic<int64_t> next = 0;
  const auto run = [&] {
    for (int64_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> helpers;
  const int64_t threads = std::min<int64_t>(WorkerThreads(), count);
  for (int64_t t = 1; t < threads; ++t) helpers.emplace_back(run);
  run();
}

int64_t ChunkImages() { return int64_t{32} * WorkerThreads(); }

}  // namespace ltml::dataset
