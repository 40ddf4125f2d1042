#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "worker/train/collective.h"

namespace ltml::collective {

// What every implementation of the port does; run by all ranks together.
class CollectiveContract {
 public:
  explicit CollectiveContract(train::Collective& collective)
      : collective_(collective), rank_(collective.rank()), world_(collective.world_size()) {}

  void Check() {
    for (const int64_t count : {1, 7, 1000, 300'000}) {
      SumsOf<float>(count);
      SumsOf<double>(count);
      SumsOf<int64_t>(count);
      Broadcasts(count);
    }
    ExactSums();
    OrderOfStart();
    ManyInFlight();
    Following();
  }

 private:
  static constexpr std::chrono::seconds kLimit{30};

  // Rank r brings (r + 1)(i mod 5 + 1); ranks sum to world (world + 1) / 2 times that.
  template <typename T>
  void SumsOf(int64_t count) {
    std::vector<T> values(count);
    for (int64_t i = 0; i < count; ++i) values[i] = static_cast<T>((rank_ + 1) * (i % 5 + 1));
    const absl::Status status =
        collective_.AllReduceSum(train::BufferOf(std::span<T>(values)), kLimit);
    ASSERT_TRUE(status.ok()) << status;
    int64_t wrong = 0;
    for (int64_t i = 0; i < count; ++i) {
      wrong += values[i] != static_cast<T>(world_ * (world_ + 1) / 2 * (i % 5 + 1));
    }
    EXPECT_EQ(wrong, 0) << "of " << count;
  }

  void Broadcasts(int64_t count) {
    for (int root = 0; root < world_; ++root) {
      std::vector<float> values(count, static_cast<float>(rank_));
      const absl::Status status =
          collective_.Broadcast(train::BufferOf(std::span<float>(values)), root, kLimit);
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_EQ(values, std::vector<float>(count, static_cast<float>(root)));
    }
  }

  // Integers beyond the 53 bits of a double.
  void ExactSums() {
    std::vector<int64_t> value = {(int64_t{1} << 60) / world_ + rank_};
    ASSERT_TRUE(collective_.AllReduceSum(train::BufferOf(std::span<int64_t>(value)), kLimit).ok());
    EXPECT_EQ(value[0], (int64_t{1} << 60) / world_ * world_ + world_ * (world_ - 1) / 2);
  }

  // Waiting for the last operation waits for all before it, and they take effect in order.
  void OrderOfStart() {
    std::vector<double> value = {1.0 + rank_};
    collective_.StartBroadcast(train::BufferOf(std::span<double>(value)), world_ - 1);
    const auto last = collective_.StartAllReduceSum(train::BufferOf(std::span<double>(value)));
    ASSERT_TRUE(collective_.Wait(last, kLimit).ok());
    EXPECT_EQ(value[0], static_cast<double>(world_ * world_));
  }

  // In memory of the host there is nobody to hold back: the sum is there, and may be waited for.
  void Following() {
    std::vector<double> value = {1.0 + rank_};
    const auto sum = collective_.StartAllReduceSum(train::BufferOf(std::span<double>(value)));
    ASSERT_TRUE(collective_.Follow(sum, kLimit).ok());
    EXPECT_EQ(value[0], world_ * (world_ + 1) / 2.0);
    EXPECT_TRUE(collective_.Wait(sum, kLimit).ok());
  }

  void ManyInFlight() {
    std::vector<std::vector<float>> buffers(50, std::vector<float>(100, 1.0F));
    std::vector<train::Collective::Ticket> tickets;
    for (auto& buffer : buffers) {
      tickets.push_back(collective_.StartAllReduceSum(train::BufferOf(std::span<float>(buffer))));
    }
    for (const auto ticket : tickets) ASSERT_TRUE(collective_.Wait(ticket, kLimit).ok());
    for (const auto& buffer : buffers) {
      EXPECT_EQ(buffer, std::vector<float>(100, static_cast<float>(world_)));
    }
  }

  train::Collective& collective_;
  const int rank_, world_;
};

}  // namespace ltml::collective
