#include "worker/collective/shared_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

#include "worker/collective/threads.h"

namespace ltml::collective {
namespace {

using std::chrono::milliseconds;
constexpr auto kLimit = std::chrono::seconds(20);
constexpr int64_t kBytes = 3 << 20;

using Body = std::function<void(int rank, train::SharedMemory& memory)>;

void WithMemory(int ranks, const Body& body) {
  auto members = MakeThreads(ranks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      const auto memory = ShareMemory(*members[rank], kBytes, kLimit);
      ASSERT_TRUE(memory.ok()) << memory.status();
      body(rank, **memory);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

int& NumberOf(train::SharedMemory& memory, int rank, int64_t place) {
  return *reinterpret_cast<int*>(memory.part(rank) + place * sizeof(int));
}

TEST(ShareMemory, EveryRankSeesWhatTheOthersWrote) {
  WithMemory(3, [](int rank, train::SharedMemory& memory) {
    constexpr int64_t kLast = kBytes / static_cast<int64_t>(sizeof(int)) - 1;
    EXPECT_EQ(NumberOf(memory, rank, kLast), 0);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.part(rank)) % 4096, 0u);
    for (int round = 1; round <= 200; ++round) {
      NumberOf(memory, rank, 0) = NumberOf(memory, rank, kLast) = round * (rank + 1);
      ASSERT_TRUE(memory.Barrier(kLimit).ok());
      for (int other = 0; other < 3; ++other) {
        ASSERT_EQ(NumberOf(memory, other, 0), round * (other + 1));
        ASSERT_EQ(NumberOf(memory, other, kLast), round * (other + 1));
      }
      ASSERT_TRUE(memory.Barrier(kLimit).ok());
    }
  });
}

TEST(ShareMemory, ALateRankIsWaitedFor) {
  WithMemory(2, [](int rank, train::SharedMemory& memory) {
    if (rank == 1) {
      std::this_thread::sleep_for(milliseconds(100));
      NumberOf(memory, 1, 5) = 7;
    }
    ASSERT_TRUE(memory.Barrier(kLimit).ok());
    EXPECT_EQ(NumberOf(memory, 1, 5), 7);
  });
}

TEST(ShareMemory, AMissingRankIsNamedAtTheDeadline) {
  WithMemory(3, [](int rank, train::SharedMemory& memory) {
    if (rank == 1) return;
    const absl::Status status = memory.Barrier(milliseconds(50));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_NE(status.message().find("for rank 1"), std::string::npos) << status;
  });
}

// As if the memory of one rank could not be had.
TEST(ShareMemory, AllHaveItOrNone) {
  auto members = MakeThreads(2);
  std::vector<absl::Status> statuses(2);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      const int64_t bytes = rank == 0 ? kBytes : int64_t{1} << 60;
      statuses[rank] = ShareMemory(*members[rank], bytes, kLimit).status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(statuses[0].ok());
  EXPECT_EQ(statuses[1].code(), absl::StatusCode::kResourceExhausted) << statuses[1];
}

TEST(ShareMemory, RanksThatDoNotComeEndAtTheDeadline) {
  auto members = MakeThreads(2);
  EXPECT_EQ(ShareMemory(*members[0], kBytes, milliseconds(50)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace ltml::collective
