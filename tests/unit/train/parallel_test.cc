#include "worker/train/parallel.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace ltml::train {
namespace {

struct Calls {
  std::map<int64_t, int64_t> parts;  // from begin to end
  std::set<std::thread::id> threads;
};

Calls CallsOf(int64_t begin, int64_t end, int64_t grain) {
  Calls calls;
  std::mutex mutex;
  InParallel(begin, end, grain, [&](int64_t from, int64_t to) {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(calls.parts.emplace(from, to).second) << from;
    calls.threads.insert(std::this_thread::get_id());
  });
  return calls;
}

// The parts lie side by side, and none is shorter than `shortest`.
void ExpectToCover(const Calls& calls, int64_t begin, int64_t end, int64_t shortest) {
  for (const auto& [from, to] : calls.parts) {
    EXPECT_EQ(from, begin);
    EXPECT_GE(to - from, shortest);
    begin = to;
  }
  EXPECT_EQ(begin, end);
}

TEST(InParallel, EveryThreadHasAPartOfWhatIsLong) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  const Calls long_one = CallsOf(5, 1005, 100);
  EXPECT_EQ(long_one.threads.size(), 3U);
  ExpectToCover(long_one, 5, 1005, 333);
  const Calls two_grains = CallsOf(0, 299, 100);
  EXPECT_EQ(two_grains.threads.size(), 2U);
  ExpectToCover(two_grains, 0, 299, 100);
  const Calls short_one = CallsOf(7, 8, 100);
  EXPECT_EQ(short_one.threads, std::set{std::this_thread::get_id()});
  ExpectToCover(short_one, 7, 8, 1);
  EXPECT_TRUE(CallsOf(7, 7, 100).parts.empty());
  at::set_num_threads(before);
}

}  // namespace
}  // namespace ltml::train
