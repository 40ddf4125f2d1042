#include "worker/collective/collectives.h"

#include <gtest/gtest.h>
#include <mpi.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/collective/contract.h"
#include "worker/collective/by_memory.h"
#include "worker/collective/mpi_status.h"
#include "worker/collective/threads.h"

namespace ltml::collective {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

void OnThreads(int world_size, const std::function<void(train::Collective&)>& body) {
  auto members = MakeThreads(world_size);
  std::vector<std::thread> threads;
  for (auto& member : members) threads.emplace_back([&body, &member] { body(*member); });
  for (std::thread& thread : threads) thread.join();
}

TEST(Single, KeepsTheContract) {
  const auto single = MakeSingle();
  CollectiveContract(*single).Check();
}

TEST(Threads, KeepTheContract) {
  for (const int world_size : {1, 2, 3, 5}) {
    OnThreads(world_size,
              [](train::Collective& collective) { CollectiveContract(collective).Check(); });
  }
}

TEST(Threads, SumInOrderOfRanks) {
  OnThreads(3, [](train::Collective& collective) {
    std::vector<float> value = {collective.rank() == 0   ? 1e8F
                                : collective.rank() == 1 ? 3.0F
                                                         : -1e8F};
    ASSERT_TRUE(collective.AllReduceSum(train::BufferOf(std::span<float>(value)), seconds(5)).ok());
    EXPECT_EQ(value[0], (1e8F + 3.0F) - 1e8F);
  });
}

TEST(Threads, AMissingRankIsADeadline) {
  auto members = MakeThreads(2);
  std::vector<double> value = {1};
  const absl::Status status =
      members[0]->AllReduceSum(train::BufferOf(std::span<double>(value)), milliseconds(50));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(std::string(status.message()).find("1 of 2 ranks"), std::string::npos) << status;
  // The group is broken for the late rank too, and nobody's memory is touched.
  std::vector<double> late = {1};
  EXPECT_EQ(members[1]->AllReduceSum(train::BufferOf(std::span<double>(late)), seconds(5)).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(value[0], 1);
}

TEST(Threads, DifferentCallsAreAnError) {
  OnThreads(2, [](train::Collective& collective) {
    std::vector<double> values(collective.rank() + 1);
    const absl::Status status =
        collective.AllReduceSum(train::BufferOf(std::span<double>(values)), seconds(5));
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  });
}

// A group for each kind of memory; what the device's group gets is remembered.
class Remembers final : public train::Collective {
 public:
  Remembers(std::unique_ptr<train::Collective> inner, std::vector<std::string>& calls)
      : inner_(std::move(inner)), calls_(calls) {}
  int rank() const override { return inner_->rank(); }
  int world_size() const override { return inner_->world_size(); }
  Ticket StartAllReduceSum(train::Buffer buffer) override {
    calls_.emplace_back("sum");
    return inner_->StartAllReduceSum(buffer);
  }
  Ticket StartBroadcast(train::Buffer buffer, int root) override {
    calls_.emplace_back("broadcast");
    return inner_->StartBroadcast(buffer, root);
  }
  absl::Status Wait(Ticket ticket, std::chrono::nanoseconds timeout) override {
    calls_.push_back("wait " + std::to_string(ticket));
    return inner_->Wait(ticket, timeout);
  }
  absl::Status Follow(Ticket ticket, std::chrono::nanoseconds timeout) override {
    calls_.push_back("follow " + std::to_string(ticket));
    return inner_->Follow(ticket, timeout);
  }

 private:
  const std::unique_ptr<train::Collective> inner_;
  std::vector<std::string>& calls_;
};

TEST(ByMemory, KeepsTheContract) {
  auto device = MakeThreads(3);
  auto host = MakeThreads(3);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 3; ++rank) {
    threads.emplace_back([&, rank] {
      const auto both = MakeByMemory(*host[rank], std::move(device[rank]));
      CollectiveContract(*both).Check();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ByMemory, SendsEachBufferToItsCollectiveAndWaitsForBoth) {
  std::vector<std::string> host_calls, device_calls;
  Remembers host(MakeSingle(), host_calls);
  const auto both = MakeByMemory(host, std::make_unique<Remembers>(MakeSingle(), device_calls));
  std::vector<double> values = {1};
  train::Buffer on_device = train::BufferOf(std::span<double>(values));
  on_device.on_device = true;
  const auto first = both->StartAllReduceSum(on_device);
  const auto second = both->StartBroadcast(train::BufferOf(std::span<double>(values)), 0);
  const auto third = both->StartAllReduceSum(on_device);
  ASSERT_TRUE(both->Follow(third, seconds(1)).ok());
  ASSERT_TRUE(both->Wait(second, seconds(1)).ok());
  ASSERT_TRUE(both->Wait(third, seconds(1)).ok());
  ASSERT_TRUE(both->Wait(first, seconds(1)).ok());  // over already
  EXPECT_EQ(host_calls, (std::vector<std::string>{"broadcast", "follow 1", "wait 1", "wait 1"}));
  EXPECT_EQ(device_calls, (std::vector<std::string>{"sum", "sum", "follow 2", "wait 1", "wait 2"}));
}

TEST(MpiStatus, TranslatesEveryClassOnce) {
  EXPECT_EQ(CodeOfMpiClass(MPI_SUCCESS), absl::StatusCode::kOk);
  EXPECT_EQ(CodeOfMpiClass(MPI_ERR_NO_MEM), absl::StatusCode::kResourceExhausted);
  for (const int ours :
       {MPI_ERR_ARG, MPI_ERR_BUFFER, MPI_ERR_COMM, MPI_ERR_COUNT, MPI_ERR_OP, MPI_ERR_RANK,
        MPI_ERR_REQUEST, MPI_ERR_ROOT, MPI_ERR_TRUNCATE, MPI_ERR_TYPE}) {
    EXPECT_EQ(CodeOfMpiClass(ours), absl::StatusCode::kInternal) << ours;
  }
  for (const int lost : {MPI_ERR_OTHER, MPI_ERR_INTERN, MPI_ERR_UNKNOWN}) {
    EXPECT_EQ(CodeOfMpiClass(lost), absl::StatusCode::kUnavailable) << lost;
  }
}

}  // namespace
}  // namespace ltml::collective
