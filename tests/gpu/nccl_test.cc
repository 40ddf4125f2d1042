#include "worker/collective/nccl.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/gpu/meet.h"
#include "worker/collective/by_memory.h"
#include "worker/collective/collectives.h"
#include "worker/collective/threads.h"

namespace ltml::collective {
namespace {

using std::chrono::seconds;
using train::Buffer;
using train::ElementType;
using train::Meet;

constexpr seconds kLimit(60);

int Devices() {
  int devices = 0;
  (void)cudaGetDeviceCount(&devices);
  return devices;
}

// An array on the GPU that is current.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values) : size_(values.size()) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data_), Bytes()), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(data_, values.data(), Bytes(), cudaMemcpyHostToDevice), cudaSuccess);
  }
  ~DeviceArray() { (void)cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  Buffer buffer() const {
    const ElementType type = std::is_same_v<T, float>    ? ElementType::kFloat32
                             : std::is_same_v<T, double> ? ElementType::kFloat64
                                                         : ElementType::kInt64;
    return {data_, static_cast<int64_t>(size_), type, true};
  }
  // After all work of the device.
  std::vector<T> Values() const {
    std::vector<T> values(size_);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, Bytes(), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }
  T* data() const { return data_; }
  size_t Bytes() const { return size_ * sizeof(T); }

 private:
  const size_t size_;
  T* data_ = nullptr;
};

NcclOptions OptionsOf(int rank, int world_size, const NcclId& id) {
  return {.rank = rank,
          .world_size = world_size,
          .device = rank,
          .id = id,
          .start_limit = kLimit,
          .call_limit = kLimit,
          .stream = [] { return static_cast<void*>(cudaStreamPerThread); }};
}

// Runs `body` on each rank, a thread and a GPU each.
void OnRanks(int world_size, const std::function<void(train::Collective&)>& body) {
  auto hosts = MakeThreads(world_size);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < world_size; ++rank) {
    threads.emplace_back([&, rank] {
      const auto id = ShareNcclId(*hosts[rank], kLimit);
      ASSERT_TRUE(id.ok()) << id.status();
      auto made = MakeNccl(OptionsOf(rank, world_size, *id));
      ASSERT_TRUE(made.ok()) << made.status();
      const auto both = MakeByMemory(*hosts[rank], *std::move(made));
      body(*both);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Rank r brings (r + 1)(i mod 5 + 1); ranks sum to world (world + 1) / 2 times that.
template <typename T>
void CheckSums(train::Collective& collective, int64_t count) {
  const int world = collective.world_size();
  std::vector<T> values(count), expected(count);
  for (int64_t i = 0; i < count; ++i) {
    values[i] = static_cast<T>((collective.rank() + 1) * (i % 5 + 1));
    expected[i] = static_cast<T>(world * (world + 1) / 2 * (i % 5 + 1));
  }
  const DeviceArray<T> array(values);
  Meet(collective);
  const absl::Status status = collective.AllReduceSum(array.buffer(), kLimit);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(array.Values(), expected);
}

void CheckBroadcasts(train::Collective& collective) {
  for (int root = 0; root < collective.world_size(); ++root) {
    const DeviceArray<float> array(std::vector<float>(1000, 1.0F + collective.rank()));
    Meet(collective);
    const absl::Status status = collective.Broadcast(array.buffer(), root, kLimit);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(array.Values(), std::vector<float>(1000, 1.0F + root));
  }
}

// What the caller's stream holds comes before the operation.
void CheckOrder(train::Collective& collective) {
  constexpr size_t kCount = 8'000'000;
  const DeviceArray<float> array(std::vector<float>(kCount, 7.0F));
  Meet(collective);
  const cudaStream_t stream = cudaStreamPerThread;
  ASSERT_EQ(cudaMemsetAsync(array.data(), 0, array.Bytes(), stream), cudaSuccess);
  const auto ticket = collective.StartAllReduceSum(array.buffer());
  ASSERT_TRUE(collective.Wait(ticket, kLimit).ok());
  EXPECT_EQ(array.Values(), std::vector<float>(kCount, 0.0F));
}

// What the caller's stream gets after Follow comes after the operation, without a wait of the host.
void CheckFollowed(train::Collective& collective) {
  constexpr size_t kCount = 8'000'000;
  const int world = collective.world_size();
  const DeviceArray<float> array(std::vector<float>(kCount, 1.0F + collective.rank()));
  Meet(collective);
  const auto ticket = collective.StartAllReduceSum(array.buffer());
  ASSERT_TRUE(collective.Follow(ticket, kLimit).ok());
  std::vector<float> values(kCount);
  ASSERT_EQ(cudaMemcpyAsync(values.data(), array.data(), array.Bytes(), cudaMemcpyDeviceToHost,
                            cudaStreamPerThread),
            cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(cudaStreamPerThread), cudaSuccess);
  EXPECT_EQ(values, std::vector<float>(kCount, static_cast<float>(world * (world + 1) / 2)));
  EXPECT_TRUE(collective.Wait(ticket, kLimit).ok());
}

void CheckAll(train::Collective& collective) {
  for (const int64_t count : {1, 1000, 3'000'000}) {
    CheckSums<float>(collective, count);
    CheckSums<double>(collective, count);
    CheckSums<int64_t>(collective, count);
  }
  CheckBroadcasts(collective);
  CheckOrder(collective);
  CheckFollowed(collective);
}

TEST(Nccl, OneRankKeepsTheContract) { OnRanks(1, CheckAll); }

TEST(Nccl, SeveralRanksKeepTheContract) {
  if (Devices() < 2) GTEST_SKIP() << "one CUDA device: several ranks were not tested";
  OnRanks(Devices(), CheckAll);
}

// Values whose sum depends on the order.
TEST(Nccl, SumsHaveTheSameBitsEveryTime) {
  if (Devices() < 2) GTEST_SKIP() << "one CUDA device: several ranks were not tested";
  OnRanks(Devices(), [](train::Collective& collective) {
    std::vector<float> values(1'000'000);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = 1.0F / static_cast<float>(i + 1 + 1000 * collective.rank());
    }
    std::vector<float> first;
    for (int round = 0; round < 5; ++round) {
      const DeviceArray<float> array(values);
      Meet(collective);
      ASSERT_TRUE(collective.AllReduceSum(array.buffer(), kLimit).ok());
      if (round == 0) first = array.Values();
      EXPECT_EQ(array.Values(), first);
    }
  });
}

TEST(Nccl, TheHostsBufferIsRefused) {
  const auto host = MakeSingle();
  const auto id = ShareNcclId(*host, kLimit);
  ASSERT_TRUE(id.ok()) << id.status();
  auto nccl = MakeNccl(OptionsOf(0, 1, *id));
  ASSERT_TRUE(nccl.ok()) << nccl.status();
  std::vector<double> values = {1};
  EXPECT_EQ((*nccl)->AllReduceSum(train::BufferOf(std::span<double>(values)), kLimit).code(),
            absl::StatusCode::kInternal);
}

TEST(Nccl, AStartWithoutTheOthersIsADeadline) {
  const auto host = MakeSingle();
  const auto id = ShareNcclId(*host, kLimit);
  ASSERT_TRUE(id.ok()) << id.status();
  NcclOptions options = OptionsOf(0, 2, *id);
  options.start_limit = seconds(2);
  const auto alone = MakeNccl(options);
  EXPECT_EQ(alone.status().code(), absl::StatusCode::kDeadlineExceeded) << alone.status();
  EXPECT_NE(std::string(alone.status().message()).find("rank 0 of 2"), std::string::npos)
      << alone.status();
}

TEST(Nccl, ARankThatDoesNotComeIsADeadlineOfTheOthers) {
  if (Devices() < 2) GTEST_SKIP() << "one CUDA device: several ranks were not tested";
  OnRanks(2, [](train::Collective& collective) {
    CheckSums<float>(collective, 1000);
    if (collective.rank() == 1) return;
    const DeviceArray<float> array(std::vector<float>(1000, 1));
    const absl::Status status = collective.AllReduceSum(array.buffer(), seconds(2));
    EXPECT_FALSE(status.ok());
    EXPECT_NE(std::string(status.message()).find("rank 0 of 2"), std::string::npos) << status;
    // Of no more use, and it says so without another wait.
    EXPECT_EQ(collective.AllReduceSum(array.buffer(), seconds(2)), status);
  });
}

}  // namespace
}  // namespace ltml::collective
