#include "coordinator/security/rate_limit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "common/rpc/details.h"

namespace ltml::security {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

RateLimit::Time At(milliseconds time) { return RateLimit::Time(seconds(1000) + time); }

TEST(RateLimit, AllowsABurstOfTwiceTheRateThenTheRate) {
  RateLimit limit(10, 1);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(limit.Take("ada", At(milliseconds(0))).ok()) << i;
  const absl::Status refused = limit.Take("ada", At(milliseconds(0)));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(rpc::ErrorReason(refused), "RATE_LIMIT");
  ASSERT_TRUE(rpc::RetryAfter(refused).has_value());
  EXPECT_EQ(*rpc::RetryAfter(refused), milliseconds(100));
  EXPECT_FALSE(limit.Take("ada", At(milliseconds(99))).ok());
  EXPECT_TRUE(limit.Take("ada", At(milliseconds(100))).ok());
  EXPECT_FALSE(limit.Take("ada", At(milliseconds(100))).ok());
}

TEST(RateLimit, UsersDoNotShare) {
  RateLimit limit(0.5, 1);
  EXPECT_TRUE(limit.Take("ada", At(milliseconds(0))).ok());
  EXPECT_FALSE(limit.Take("ada", At(milliseconds(0))).ok());
  EXPECT_TRUE(limit.Take("bob", At(milliseconds(0))).ok());
}

TEST(RateLimit, ATimeBeforeTheLastGivesNothing) {
  RateLimit limit(0.5, 1);
  EXPECT_TRUE(limit.Take("ada", At(milliseconds(5000))).ok());
  EXPECT_FALSE(limit.Take("ada", At(milliseconds(0))).ok());
  EXPECT_FALSE(limit.Take("ada", At(milliseconds(6000))).ok());
  EXPECT_TRUE(limit.Take("ada", At(milliseconds(7000))).ok());
}

TEST(RateLimit, CountsStreams) {
  RateLimit limit(1, 2);
  EXPECT_TRUE(limit.OpenStream("ada").ok());
  EXPECT_TRUE(limit.OpenStream("ada").ok());
  EXPECT_EQ(rpc::ErrorReason(limit.OpenStream("ada")), "STREAM_LIMIT");
  EXPECT_TRUE(limit.OpenStream("bob").ok());
  limit.CloseStream("ada");
  EXPECT_TRUE(limit.OpenStream("ada").ok());
}

TEST(RateLimit, ManyThreadsTakeNoMoreThanThereIs) {
  RateLimit limit(100, 1);
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) taken += limit.Take("ada", At(milliseconds(0))).ok() ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(taken, 200);
}

}  // namespace
}  // namespace ltml::security
