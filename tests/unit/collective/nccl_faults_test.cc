// NCCL's collective on fake GPUs: what becomes of errors that real ones do not give on demand.
// tests/gpu/nccl_test.cc, which is part of this program, has the rest.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/collective/fake_gpu.h"
#include "worker/collective/collectives.h"
#include "worker/collective/nccl.h"
#include "worker/collective/threads.h"

namespace ltml::collective {
namespace {

using fake_gpu::Fault;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr seconds kLimit(60);
constexpr int64_t kCount = 100;

struct Array {
  Array() { EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data), kCount * 4), cudaSuccess); }
  ~Array() { EXPECT_EQ(cudaFree(data), cudaSuccess); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  train::Buffer buffer() const { return {data, kCount, train::ElementType::kFloat32, true}; }
  float* data = nullptr;
};

// Two ranks, a thread and a fake GPU each.
void OnTwoRanks(std::chrono::nanoseconds call_limit,
                const std::function<void(train::Collective&)>& body) {
  auto hosts = MakeThreads(2);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      const auto id = ShareNcclId(*hosts[rank], kLimit);
      ASSERT_TRUE(id.ok()) << id.status();
      auto made = MakeNccl({.rank = rank,
                            .world_size = 2,
                            .device = rank,
                            .id = *id,
                            .start_limit = kLimit,
                            .call_limit = call_limit,
                            .stream = [] { return static_cast<void*>(cudaStreamPerThread); }});
      ASSERT_TRUE(made.ok()) << made.status();
      body(**made);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Memory of the GPU can be freed, so no work is left on it; and the failure is kept.
void ExpectOver(train::Collective& collective, const absl::Status& status) {
  const auto begin = std::chrono::steady_clock::now();
  {
    const Array other;
    EXPECT_EQ(collective.AllReduceSum(other.buffer(), kLimit), status);
    EXPECT_EQ(collective.Follow(collective.StartAllReduceSum(other.buffer()), kLimit), status);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5));
}

void ExpectNothingLeft() {
  const fake_gpu::Census left = fake_gpu::Count();
  EXPECT_EQ(left.streams, 0);
  EXPECT_EQ(left.events, 0);
  EXPECT_EQ(left.arrays, 0);
  EXPECT_EQ(left.communicators, 0);
}

// Of both ranks, of which one has `fault` at its second operation.
void CheckFault(Fault fault, absl::StatusCode code, const std::string& text) {
  const fake_gpu::Census before = fake_gpu::Count();
  OnTwoRanks(milliseconds(300), [&](train::Collective& collective) {
    const Array array;
    ASSERT_TRUE(collective.AllReduceSum(array.buffer(), kLimit).ok());
    if (collective.rank() == 1) fake_gpu::FailNext(1, fault);
    const absl::Status status = collective.AllReduceSum(array.buffer(), seconds(1));
    if (collective.rank() == 1) {
      EXPECT_EQ(status.code(), code) << status;
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr("rank 1 of 2 (GPU 1): NCCL all-reduce 2"));
      EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    } else {
      EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("did not end within 1.0 s"));
    }
    ExpectOver(collective, status);
  });
  EXPECT_EQ(fake_gpu::Count().aborted, before.aborted + 2);
  EXPECT_EQ(fake_gpu::Count().destroyed, before.destroyed);
  ExpectNothingLeft();
}

TEST(NcclFaults, AnErrorOfAnotherRankEndsTheWait) {
  CheckFault(Fault::kRemoteError, absl::StatusCode::kUnavailable, "another rank has ended");
}

TEST(NcclFaults, AnOperationThatIsNotTakenUpIsADeadline) {
  CheckFault(Fault::kNotTakenUp, absl::StatusCode::kDeadlineExceeded, "not taken up within 0.3 s");
}

TEST(NcclFaults, ACallThatFailsIsTold) {
  CheckFault(Fault::kInvalidUsage, absl::StatusCode::kInternal, "NCCL_DEBUG=WARN");
}

TEST(NcclFaults, AGoodEndIsNoAbort) {
  const fake_gpu::Census before = fake_gpu::Count();
  OnTwoRanks(kLimit, [](train::Collective& collective) {
    const Array array;
    EXPECT_TRUE(collective.AllReduceSum(array.buffer(), kLimit).ok());
  });
  EXPECT_EQ(fake_gpu::Count().destroyed, before.destroyed + 2);
  EXPECT_EQ(fake_gpu::Count().aborted, before.aborted);
  ExpectNothingLeft();
}

// The thread that aborts is left behind, and ends when NCCL lets it.
TEST(NcclFaults, AnAbortThatHangsHoldsNobodyForLong) {
  OnTwoRanks(kLimit, [](train::Collective& collective) {
    const Array array;
    ASSERT_TRUE(collective.AllReduceSum(array.buffer(), kLimit).ok());
    if (collective.rank() == 1) return;
    fake_gpu::HoldAborts(true);
    const auto begin = std::chrono::steady_clock::now();
    const absl::Status status = collective.AllReduceSum(array.buffer(), milliseconds(100));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(15));
    EXPECT_EQ(fake_gpu::Count().communicators, 1);
    fake_gpu::HoldAborts(false);
  });
  ExpectNothingLeft();
}

}  // namespace
}  // namespace ltml::collective
