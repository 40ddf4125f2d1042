#include "worker/data/prefetcher.h"

#include <array>
#include <atomic>
#include <mutex>

#include "absl/synchronization/notification.h"
#include "fmt/format.h"
#include "gtest/gtest.h"

namespace ltml::data {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Batch n has n mod 4 items; item i of batch n writes n + i.
class Adder : public Prefetcher::Maker {
 public:
  explicit Adder(int slots) : numbers(slots), sums(slots) {}
  int64_t Plan(int64_t number, int slot) override {
    numbers[slot] = number;
    sums[slot] = 0;
    ++planned;
    return number % 4;
  }
  absl::Status Work(int slot, int64_t item, int) override {
    if (numbers[slot] == bad_number && item >= 1) {
      return absl::InvalidArgumentError(fmt::format("item {}", item));
    }
    sums[slot] += numbers[slot] + item;
    return absl::OkStatus();
  }
  std::vector<int64_t> numbers;
  std::vector<std::atomic<int64_t>> sums;
  std::atomic<int> planned = 0;
  int64_t bad_number = -1;
};

int64_t SumOf(int64_t n) {
  int64_t sum = 0;
  for (int64_t i = 0; i < n % 4; ++i) sum += n + i;
  return sum;
}

TEST(Prefetcher, DeliversEveryBatchInOrder) {
  for (const int threads : {1, 2, 5}) {
    for (const int slots : {1, 2, 3}) {
      Adder adder(slots);
      auto prefetcher = Prefetcher::Create(threads, slots, adder);
      ASSERT_TRUE(prefetcher.ok());
      ASSERT_TRUE((*prefetcher)->Start({3, 203, 2}, seconds(10)).ok());
      for (int64_t n = 3; n < 203; n += 2) {
        const auto slot = (*prefetcher)->Next(n, seconds(10));
        ASSERT_TRUE(slot.ok()) << slot.status();
        EXPECT_EQ(adder.numbers[*slot], n);
        EXPECT_EQ(adder.sums[*slot], SumOf(n));
      }
      EXPECT_EQ((*prefetcher)->Next(203, seconds(1)).status().code(),
                absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST(Prefetcher, StaysWithinItsSlots) {
  Adder adder(3);
  auto prefetcher = Prefetcher::Create(2, 3, adder);
  ASSERT_TRUE((*prefetcher)->Start({0, 1000}, seconds(10)).ok());
  ASSERT_TRUE((*prefetcher)->Next(0, seconds(10)).ok());
  ASSERT_TRUE((*prefetcher)->Next(1, seconds(10)).ok());
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_LE(adder.planned, 4);  // 0, and the slots of 1, 2 and 3
}

TEST(Prefetcher, ReportsTheLowestErrorAtItsBatchAndKeepsIt) {
  Adder adder(3);
  adder.bad_number = 7;
  auto prefetcher = Prefetcher::Create(3, 3, adder);
  ASSERT_TRUE((*prefetcher)->Start({5, 20}, seconds(10)).ok());
  ASSERT_TRUE((*prefetcher)->Next(5, seconds(10)).ok());
  ASSERT_TRUE((*prefetcher)->Next(6, seconds(10)).ok());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ((*prefetcher)->Next(7, seconds(10)).status().message(), "item 1");
  }
}

TEST(Prefetcher, RefusesAnotherNumberThanTheExpected) {
  Adder adder(2);
  auto prefetcher = Prefetcher::Create(1, 2, adder);
  EXPECT_EQ((*prefetcher)->expected(), -1);
  ASSERT_TRUE((*prefetcher)->Start({0, 9}, seconds(10)).ok());
  EXPECT_FALSE((*prefetcher)->Next(1, seconds(10)).ok());
  EXPECT_TRUE((*prefetcher)->Next(0, seconds(10)).ok());
  EXPECT_EQ((*prefetcher)->expected(), 1);
}

TEST(Prefetcher, StartsAgainAnywhere) {
  Adder adder(2);
  auto prefetcher = Prefetcher::Create(2, 2, adder);
  for (const int64_t first : {10, 0, 500, 3}) {
    ASSERT_TRUE((*prefetcher)->Start({first, first + 100}, seconds(10)).ok());
    for (int64_t n = first; n < first + 5; ++n) {
      const auto slot = (*prefetcher)->Next(n, seconds(10));
      ASSERT_TRUE(slot.ok()) << slot.status();
      EXPECT_EQ(adder.sums[*slot], SumOf(n));
    }
  }
}

class Stuck : public Prefetcher::Maker {
 public:
  int64_t Plan(int64_t, int) override { return 1; }
  absl::Status Work(int, int64_t, int) override {
    release.WaitForNotificationWithTimeout(absl::Seconds(20));
    return absl::OkStatus();
  }
  absl::Notification release;
};

// Counts calls by thread; no thread is in two calls at once.
class PerThread : public Prefetcher::Maker {
 public:
  int64_t Plan(int64_t, int) override { return 5; }
  absl::Status Work(int, int64_t, int thread) override {
    EXPECT_EQ(busy[thread].exchange(1), 0);
    std::this_thread::yield();
    busy[thread] = 0;
    return absl::OkStatus();
  }
  std::array<std::atomic<int>, 3> busy = {};
};

TEST(Prefetcher, NumbersItsThreads) {
  PerThread maker;
  auto prefetcher = Prefetcher::Create(3, 2, maker);
  ASSERT_TRUE((*prefetcher)->Start({0, 200}, seconds(1)).ok());
  for (int64_t n = 0; n < 200; ++n) ASSERT_TRUE((*prefetcher)->Next(n, seconds(10)).ok());
}

TEST(Prefetcher, GivesUpAtTheDeadlineAndGoesOnLater) {
  Stuck stuck;
  auto prefetcher = Prefetcher::Create(1, 2, stuck);
  ASSERT_TRUE((*prefetcher)->Start({0, 9}, seconds(1)).ok());
  const auto late = (*prefetcher)->Next(0, milliseconds(20)).status();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(std::string(late.message()).find("0 of 1 images"), std::string::npos) << late;
  EXPECT_EQ((*prefetcher)->Start({0, 9}, milliseconds(20)).code(),
            absl::StatusCode::kDeadlineExceeded);
  stuck.release.Notify();
  ASSERT_TRUE((*prefetcher)->Start({0, 9}, seconds(10)).ok());
  EXPECT_TRUE((*prefetcher)->Next(0, seconds(10)).ok());
}

}  // namespace
}  // namespace ltml::data
