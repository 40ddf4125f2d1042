#include "worker/train/exchange.h"

#include <cstring>
#include <vector>

#include "common/base/status_macros.h"
#include "worker/train/gradient_buckets.h"
#include "worker/train/parallel.h"

namespace ltml::train {
namespace {

class AllReduceExchange final : public Exchange {
 public:
  AllReduceExchange(const ParameterMemory& memory, Collective& collective)
      : memory_(memory), collective_(collective) {}

  void Start(int bucket) override {
    collective_.StartAllReduceSum(BufferOf(memory_.flat(Plane::kGradients, bucket)));
  }
  absl::Status Combine(StepTail& tail, std::chrono::nanoseconds limit) override {
    last_ = tail.Start(collective_);
    return collective_.Follow(last_, limit);
  }
  absl::Status Await(std::chrono::nanoseconds limit) override {
    return collective_.Wait(last_, limit);
  }
  absl::Status Settle(std::chrono::nanoseconds) override { return absl::OkStatus(); }
  at::Tensor SummedGradient(int bucket) const override {
    return memory_.flat(Plane::kGradients, bucket);
  }
  absl::Status GatherState(std::chrono::nanoseconds) override { return absl::OkStatus(); }

 private:
  const ParameterMemory& memory_;
  Collective& collective_;
  Collective::Ticket last_ = 0;
};

class SharedExchange final : public Exchange {
 public:
  explicit SharedExchange(const ParameterMemory& memory)
      : memory_(memory), shared_(*memory.shared()) {}

  void Start(int) override {}

  absl::Status Combine(StepTail& tail, std::chrono::nanoseconds limit) override {
    tail.CopyTo(memory_.peer_tail(memory_.rank()));
    LTML_RETURN_IF_ERROR(shared_.Barrier(limit));
    std::vector<const double*> parts;
    for (int rank = 0; rank < memory_.world_size(); ++rank) {
      parts.push_back(memory_.peer_tail(rank));
    }
    tail.SetSum(parts);
    return absl::OkStatus();
  }
  absl::Status Await(std::chrono::nanoseconds) override { return absl::OkStatus(); }

  // No gradient is read after the barrier, and no weight changes before that of the next Combine.
  absl::Status Settle(std::chrono::nanoseconds limit) override { return shared_.Barrier(limit); }

  at::Tensor SummedGradient(int bucket) const override {
    at::Tensor sum = at::zeros_like(memory_.flat(Plane::kGradients, bucket));
    for (int rank = 0; rank < memory_.world_size(); ++rank) {
      sum.add_(
          at::from_blob(memory_.peer(rank, Plane::kGradients, bucket), sum.sizes(), sum.options()));
    }
    return sum;
  }

  absl::Status GatherState(std::chrono::nanoseconds limit) override {
    LTML_RETURN_IF_ERROR(shared_.Barrier(limit));
    CopyOthers(Plane::kFirstMoment);
    CopyOthers(Plane::kSecondMoment);
    return shared_.Barrier(limit);
  }

 private:
  // Other ranks' parts of a plane.
  void CopyOthers(Plane plane) const {
    for (int bucket = 0; bucket < memory_.buckets(); ++bucket) {
      const at::Tensor& own = memory_.flat(plane, bucket);
      if (!own.defined()) return;
      for (int rank = 0; rank < memory_.world_size(); ++rank) {
        if (rank != memory_.rank()) Copy(plane, bucket, rank);
      }
    }
  }
  void Copy(Plane plane, int bucket, int rank) const {
    const at::Tensor& own = memory_.flat(plane, bucket);
    const auto bytes = static_cast<int64_t>(own.element_size());
    const Shard shard = ShardOf(own.numel(), rank, memory_.world_size());
    const std::byte* const from = memory_.peer(rank, plane, bucket);
    auto* const to = static_cast<std::byte*>(own.data_ptr());
    constexpr int64_t kGrain = int64_t{1} << 16;
    InParallel(shard.begin, shard.end, kGrain, [&](int64_t begin, int64_t end) {
      std::memcpy(to + begin * bytes, from + begin * bytes, (end - begin) * bytes);
    });
  }

  const ParameterMemory& memory_;
  SharedMemory& shared_;
};

}  // namespace

std::unique_ptr<Exchange> MakeAllReduceExchange(const ParameterMemory& memory,
                                                Collective& collective) {
  return std::make_unique<AllReduceExchange>(memory, collective);
}

std::unique_ptr<Exchange> MakeSharedExchange(const ParameterMemory& memory) {
  return std::make_unique<SharedExchange>(memory);
}

}  // namespace ltml::train
