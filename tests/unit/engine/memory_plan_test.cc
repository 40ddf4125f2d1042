#include "worker/engine/memory_plan.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace ltml::engine {
namespace {

struct Buffer {
  int64_t floats = 0;
  int first = 0, last = 0;
  int id = 0;
};

TEST(MemoryPlan, BuffersThatLiveAtTheSameTimeDoNotOverlap) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](int limit) { return static_cast<int>(random() % limit); };
    MemoryPlan plan;
    std::vector<Buffer> buffers;
    int64_t sum = 0;
    for (int i = 0; i < 40; ++i) {
      Buffer buffer{.floats = 1 + below(1000), .first = below(100)};
      buffer.last = buffer.first + below(20);
      buffer.id = plan.Add(buffer.floats);
      // In any order, and more than once.
      plan.Use(buffer.id, buffer.last);
      plan.Use(buffer.id, buffer.first);
      plan.Use(buffer.id, buffer.first);
      buffers.push_back(buffer);
      sum += buffer.floats + 16;
    }
    plan.Place();
    for (const Buffer& a : buffers) {
      EXPECT_EQ(plan.offset(a.id) % 16, 0) << "a cache line";
      EXPECT_LE(plan.offset(a.id) + a.floats, plan.total());
      for (const Buffer& b : buffers) {
        if (a.id == b.id || a.last < b.first || b.last < a.first) continue;
        EXPECT_TRUE(plan.offset(a.id) + a.floats <= plan.offset(b.id) ||
                    plan.offset(b.id) + b.floats <= plan.offset(a.id));
      }
    }
    EXPECT_LT(plan.total(), sum * 3 / 4) << "memory is used again";
  }
}

TEST(MemoryPlan, OneAfterTheOtherShareOnePlace) {
  MemoryPlan plan;
  for (int i = 0; i < 10; ++i) plan.Use(plan.Add(32), i);
  plan.Place();
  EXPECT_EQ(plan.total(), 32);
}

}  // namespace
}  // namespace ltml::engine
