#include <map>

#include "tests/unit/train/fixture.h"
#include "worker/collective/collectives.h"
#include "worker/collective/shared_memory.h"

namespace ltml::train {
namespace {

using Gradients = std::map<std::string, at::Tensor>;

// Gradients of step 0, as rank 0 of `world_size` holds them.
Gradients GradientsOf(const JobSetup& setup, int world_size) {
  Coordinator coordinator(world_size, setup.network.classes, 0.9, setup.options.window);
  Gradients gradients;
  RunRanks(world_size, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    const auto result = job.trainer->RunUntil(1);
    ASSERT_TRUE(result.ok()) << result.status();
    if (collective.rank() != 0) return;
    for (const auto& named : job.trainer->GradientTensors()) {
      gradients[named.name] = named.tensor.to(at::kDouble).clone();
    }
  });
  return gradients;
}

void ExpectEqualGradients(const JobSetup& setup, double tolerance) {
  const Gradients one = GradientsOf(setup, 1);
  ASSERT_GE(one.size(), 60u);
  for (int world_size = 2; world_size <= 4; ++world_size) {
    const Gradients many = GradientsOf(setup, world_size);
    ASSERT_EQ(many.size(), one.size());
    for (const auto& [name, expected] : one) {
      const double norm = expected.norm().item<double>();
      EXPECT_GT(norm, 0) << name;
      EXPECT_LE((many.at(name) - expected).norm().item<double>(), tolerance * norm)
          << name << " on " << world_size << " ranks";
    }
  }
}

// Five images a stream: slices of 2 + 3, 1 + 2 + 2, 1 + 1 + 1 + 2.
TEST(Ranks, GradientsEqualOneProcessInDouble) {
  JobSetup setup;
  setup.options.bucket_bytes = 200'000;
  ExpectEqualGradients(setup, 1e-10);
}

TEST(Ranks, GradientsEqualOneProcessInFloat) {
  JobSetup setup;
  setup.network.type = at::kFloat;
  ExpectEqualGradients(setup, 1e-4);
}

TEST(Ranks, LearnableCompensationGradientsEqualOneProcess) {
  JobSetup setup;
  setup.options.compensation = CompensationMode::kLearnable;
  const Gradients one = GradientsOf(setup, 1);
  EXPECT_TRUE(one.contains("compensation.uniform.positive.sigma"));
  EXPECT_TRUE(one.contains("compensation.rebalanced.negative.mu"));
  ExpectEqualGradients(setup, 1e-10);
}

// With batch norm over a rank's own slice, ranks must still hold the same parameters and buffers.
TEST(Ranks, HoldTheSameModelAfterTraining) {
  JobSetup setup;
  setup.options.frozen_batch_norm = false;
  setup.options.optimizer = OptimizerKind::kAdamW;
  setup.options.learning_rate = 1e-3;
  setup.options.global_batch = 7;
  setup.network.type = at::kFloat;
  std::vector<std::vector<at::Tensor>> models(3);
  Coordinator coordinator(3, setup.network.classes, 0.9, setup.options.window);
  RunRanks(3, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    ASSERT_TRUE(job.trainer->RunUntil(4).ok());
    for (const auto& named : job.trainer->ModelTensors()) {
      models[collective.rank()].push_back(named.tensor.clone());
    }
  });
  for (const int rank : {1, 2}) {
    ASSERT_EQ(models[rank].size(), models[0].size());
    for (size_t i = 0; i < models[0].size(); ++i) {
      EXPECT_TRUE(at::equal(models[rank][i], models[0][i])) << "rank " << rank << " tensor " << i;
    }
  }
}

TEST(Ranks, SameRunTwiceHasTheSameBits) {
  JobSetup setup;
  setup.options.frozen_batch_norm = false;
  setup.network.type = at::kFloat;
  const Gradients a = GradientsOf(setup, 3), b = GradientsOf(setup, 3);
  for (const auto& [name, gradient] : a) EXPECT_TRUE(at::equal(gradient, b.at(name))) << name;
}

struct Outcome {
  std::vector<at::Tensor> model, optimizer, gradients;
};

std::vector<at::Tensor> Copies(const std::vector<model::NamedTensor>& tensors) {
  std::vector<at::Tensor> copies;
  for (const auto& named : tensors) copies.push_back(named.tensor.clone());
  return copies;
}

// What every rank holds after some steps.
std::vector<Outcome> Train(const JobSetup& setup, int ranks, bool share) {
  Coordinator coordinator(ranks, setup.network.classes, 0.9, setup.options.window);
  std::vector<Outcome> outcomes(ranks);
  RunRanks(ranks, [&](Collective& collective) {
    ShareMemory memory;
    if (share) {
      memory = [&](int64_t bytes) { return collective::ShareMemory(collective, bytes, kLimit); };
    }
    RankJob job(setup, collective, coordinator, memory);
    ASSERT_TRUE(job.trainer->BroadcastWeights(kLimit).ok());
    const auto done = job.trainer->RunUntil(4);
    ASSERT_TRUE(done.ok()) << done.status();
    ASSERT_TRUE(job.trainer->GatherOptimizerState(kLimit).ok());
    outcomes[collective.rank()] = {Copies(job.trainer->ModelTensors()),
                                   Copies(job.trainer->OptimizerTensors()),
                                   Copies(job.trainer->GradientTensors())};
    int64_t none = 0;  // gradients of others are read until all have come here
    ASSERT_TRUE(collective.AllReduceSum({&none, 1, ElementType::kInt64}, kLimit).ok());
  });
  return outcomes;
}

void ExpectSame(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b,
                double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(tolerance == 0 ? at::equal(a[i], b[i])
                               : at::allclose(a[i], b[i], tolerance, tolerance))
        << i;
  }
}

void ExpectSharingChangesNothing(const JobSetup& setup, int ranks, double tolerance) {
  const auto apart = Train(setup, ranks, false), shared = Train(setup, ranks, true);
  for (int rank = 0; rank < ranks; ++rank) {
    ExpectSame(shared[rank].model, apart[0].model, tolerance);
    ExpectSame(shared[rank].model, shared[0].model, 0);
    ExpectSame(shared[rank].optimizer, apart[0].optimizer, tolerance);
    ExpectSame(shared[rank].optimizer, shared[0].optimizer, 0);
    ExpectSame(shared[rank].gradients, apart[0].gradients, tolerance);
  }
}

JobSetup SharedSetup(OptimizerKind optimizer) {
  JobSetup setup;
  setup.network.type = at::kFloat;
  setup.options.frozen_batch_norm = false;
  setup.options.optimizer = optimizer;
  setup.options.learning_rate = 1e-2;
  setup.options.global_batch = 8;
  setup.options.bucket_bytes = 100'000;
  setup.options.compensation = CompensationMode::kLearnable;
  return setup;
}

TEST(Ranks, WithSharedMemoryTwoHaveTheBitsOfTheAllReduce) {
  ExpectSharingChangesNothing(SharedSetup(OptimizerKind::kSgd), 2, 0);
  ExpectSharingChangesNothing(SharedSetup(OptimizerKind::kAdamW), 2, 0);
}

// The ranks of this collective sum in their order, too.
TEST(Ranks, WithSharedMemoryThreeHaveTheBitsOfTheAllReduce) {
  ExpectSharingChangesNothing(SharedSetup(OptimizerKind::kSgd), 3, 0);
}

TEST(Ranks, WithSharedMemoryThereIsOneSetOfWeights) {
  const JobSetup setup = SharedSetup(OptimizerKind::kSgd);
  Coordinator coordinator(2, setup.network.classes, 0.9, setup.options.window);
  RunRanks(2, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator,
                [&](int64_t bytes) { return collective::ShareMemory(collective, bytes, kLimit); });
    ASSERT_TRUE(job.trainer->BroadcastWeights(kLimit).ok());
    const at::Tensor weight = job.network->parameters().front().tensor.detach();
    if (collective.rank() == 1) weight.fill_(7);
    int64_t none = 0;
    ASSERT_TRUE(collective.AllReduceSum({&none, 1, ElementType::kInt64}, kLimit).ok());
    EXPECT_TRUE(weight.eq(7).all().item<bool>()) << "rank " << collective.rank();
  });
}

TEST(Ranks, WithoutSharedMemoryTheyGoOnWithTheAllReduce) {
  const JobSetup setup = SharedSetup(OptimizerKind::kSgd);
  Coordinator coordinator(2, setup.network.classes, 0.9, setup.options.window);
  RunRanks(2, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator,
                [](int64_t) { return absl::UnavailableError("two hosts"); });
    EXPECT_TRUE(job.trainer->RunUntil(2).ok());
  });
}

// The other rank's memory is there, but nobody comes to the barrier.
TEST(Ranks, ARankThatLeavesSharedMemoryIsNamedAtTheDeadline) {
  JobSetup setup = SharedSetup(OptimizerKind::kSgd);
  setup.options.step_limit = std::chrono::milliseconds(300);
  Coordinator coordinator(2, setup.network.classes, 0.9, setup.options.window);
  RunRanks(2, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator,
                [&](int64_t bytes) { return collective::ShareMemory(collective, bytes, kLimit); });
    if (collective.rank() == 1) return;
    const auto result = job.trainer->RunUntil(2);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_NE(result.status().message().find("rank 1"), std::string::npos) << result.status();
  });
}

TEST(Ranks, BroadcastGivesAllRankZerosWeights) {
  const JobSetup setup;
  Coordinator coordinator(3, setup.network.classes, 0.9, setup.options.window);
  std::vector<double> sums(3);
  RunRanks(3, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    for (const auto* tensors : {&job.network->parameters(), &job.network->buffers()}) {
      for (const auto& named : *tensors) named.tensor.detach().add_(collective.rank());
    }
    const absl::Status status = job.trainer->BroadcastWeights(kLimit);
    ASSERT_TRUE(status.ok()) << status;
    for (const auto& named : job.trainer->ModelTensors()) {
      sums[collective.rank()] += named.tensor.sum().item<double>();
    }
  });
  EXPECT_EQ(sums[1], sums[0]);
  EXPECT_EQ(sums[2], sums[0]);
}

TEST(Ranks, EveryRankLeavesAtTheStepOfTheCommand) {
  const JobSetup setup;
  Coordinator coordinator(3, setup.network.classes, 0.9, setup.options.window);
  RunRanks(3, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    job.monitor.command_at = 2;  // only rank 0's counts: the others are never asked
    job.monitor.command = collective.rank() == 0 ? Command::kCheckpoint : Command::kStop;
    EXPECT_EQ(job.trainer->RunUntil(5).value(), Command::kCheckpoint);
    EXPECT_EQ(job.trainer->step(), 2);
    EXPECT_EQ(job.trainer->RunUntil(3).value(), Command::kNone);
    EXPECT_EQ(job.trainer->step(), 3);
    EXPECT_EQ(job.monitor.polls, collective.rank() == 0 ? 3 : 0);
  });
}

// Ports that each take their time, so that a time that is missing or in the wrong place is seen.
template <typename Port>
class Slow : public Port {
 public:
  Slow(Port& port, std::chrono::milliseconds pause) : port_(port), pause_(pause) {}

 protected:
  Port& Late() {
    std::this_thread::sleep_for(pause_);
    return port_;
  }
  Port& port_;

 private:
  const std::chrono::milliseconds pause_;
};
struct SlowBatches : Slow<BatchSource> {
  using Slow::Slow;
  absl::StatusOr<const Batch*> Next(int64_t step, std::chrono::nanoseconds timeout) override {
    return Late().Next(step, timeout);
  }
};
struct SlowGrants : Slow<GrantSource> {
  using Slow::Slow;
  absl::StatusOr<Grant> Await(int64_t window, std::chrono::nanoseconds timeout) override {
    return Late().Await(window, timeout);
  }
  void Report(int64_t window, const statistics::WindowSums& sums) override {
    port_.Report(window, sums);
  }
};
struct SlowCollective : Slow<Collective> {
  using Slow::Slow;
  int rank() const override { return port_.rank(); }
  int world_size() const override { return port_.world_size(); }
  Ticket StartAllReduceSum(Buffer buffer) override { return port_.StartAllReduceSum(buffer); }
  Ticket StartBroadcast(Buffer buffer, int root) override {
    return port_.StartBroadcast(buffer, root);
  }
  absl::Status Wait(Ticket ticket, std::chrono::nanoseconds timeout) override {
    return Late().Wait(ticket, timeout);
  }
};

struct SlowMemory final : SharedMemory {
  SlowMemory(std::unique_ptr<SharedMemory> from, std::chrono::milliseconds time)
      : memory(std::move(from)), pause(time) {}
  std::byte* part(int rank) override { return memory->part(rank); }
  absl::Status Barrier(std::chrono::nanoseconds timeout) override {
    std::this_thread::sleep_for(pause);
    return memory->Barrier(timeout);
  }
  const std::unique_ptr<SharedMemory> memory;
  const std::chrono::milliseconds pause;
};

// Before the update and behind it.
TEST(Ranks, BothWaitsAtSharedMemoryAreTold) {
  const JobSetup setup = SharedSetup(OptimizerKind::kSgd);
  Coordinator coordinator(2, setup.network.classes, 0.9, setup.options.window);
  RunRanks(2, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator, [&](int64_t bytes) {
      return std::make_unique<SlowMemory>(
          collective::ShareMemory(collective, bytes, kLimit).value(),
          std::chrono::milliseconds(20));
    });
    ASSERT_TRUE(job.trainer->BroadcastWeights(kLimit).ok());
    ASSERT_TRUE(job.trainer->RunUntil(1).ok());
    ASSERT_EQ(job.monitor.times.size(), 1u);
    EXPECT_GE(job.monitor.times[0].collective_wait_seconds, 2 * 0.020);
  });
}

TEST(Ranks, EveryRankTellsWhereItsTimeWent) {
  using std::chrono::milliseconds;
  JobSetup setup;
  setup.options.log_every_steps = 2;
  setup.options.window = 2;
  Coordinator coordinator(2, setup.network.classes, 0.9, setup.options.window);
  RunRanks(2, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    SlowBatches batches(job.batches, milliseconds(10));
    SlowGrants grants(job.grants, milliseconds(30));
    SlowCollective sums(collective, milliseconds(20));
    auto network = model::Network::Create(setup.network, 17).value();
    auto trainer =
        Trainer::Create(setup.options, {*network, sums, grants, batches, job.monitor}).value();
    ASSERT_TRUE(trainer->RunUntil(4).ok());
    // The first step, and then every second one: steps 1, 2, and 3 with 4.
    ASSERT_EQ(job.monitor.times.size(), 3u);
    const RankTimes& first = job.monitor.times[0];
    EXPECT_EQ(first.steps, 1);
    EXPECT_GE(first.grant_wait_seconds, 0.030);
    EXPECT_EQ(job.monitor.times[1].grant_wait_seconds, 0);
    const RankTimes& last = job.monitor.times[2];
    EXPECT_EQ(last.steps, 2);
    EXPECT_GE(last.data_wait_seconds, 2 * 0.010);
    EXPECT_GE(last.collective_wait_seconds, 2 * 0.020);
    EXPECT_GE(last.grant_wait_seconds, 0.030);
    EXPECT_GT(last.compute_seconds, 0);
    EXPECT_EQ(job.monitor.reports.size(), collective.rank() == 0 ? 3u : 0u);
  });
}

TEST(Ranks, ANonFiniteLossEndsAllAndNamesItsRank) {
  const JobSetup setup;
  Coordinator coordinator(3, setup.network.classes, 0.9, setup.options.window);
  RunRanks(3, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    if (collective.rank() == 1) job.batches.spoil_step = 1;
    const auto result = job.trainer->RunUntil(5);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kOutOfRange);
    const std::string message(result.status().message());
    EXPECT_NE(message.find("rank 1: the loss of step 2 is not finite (total nan"),
              std::string::npos)
        << message;
    EXPECT_EQ(job.trainer->step(), 1);
    for (const auto& named : job.trainer->ModelTensors()) {
      EXPECT_TRUE(named.tensor.isfinite().all().item<bool>()) << named.name;
    }
  });
}

}  // namespace
}  // namespace ltml::train
