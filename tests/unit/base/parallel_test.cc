#include "common/base/parallel.h"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "absl/synchronization/barrier.h"
#include "gtest/gtest.h"

namespace ltml::base {
namespace {

TEST(ParallelFor, CallsEachNumberOnce) {
  for (const int threads : {1, 2, 7}) {
    for (const int count : {0, 1, 5, 100}) {
      std::vector<std::atomic<int>> calls(count);
      ParallelFor(count, threads, [&](int64_t i) { ++calls[i]; });
      for (const auto& call : calls) EXPECT_EQ(call, 1);
    }
  }
}

// Three calls that wait for each other end only on three threads.
TEST(ParallelFor, RunsOnAllItsThreads) {
  absl::Barrier barrier(3);
  ParallelFor(3, 3, [&](int64_t) { barrier.Block(); });
}

}  // namespace
}  // namespace ltml::base
