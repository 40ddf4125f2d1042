// The step by operators of LibTorch, which GPUs use, held against the loops of the processor.
#include <gmock/gmock.h>

#include "tests/unit/train/fixture.h"
#include "worker/train/tensor_moments.h"

namespace ltml::train {
namespace {

struct Outcome {
  std::vector<model::NamedTensor> model, optimizer;
  statistics::WindowSums open;
  statistics::DecayedTotals totals;
  std::vector<StepReport> reports;
};

// What rank 0 has after `steps` steps of `world_size` ranks.
Outcome Train(const JobSetup& setup, int world_size, int64_t steps) {
  Outcome outcome;
  Coordinator coordinator(world_size, setup.network.classes, 0.9, setup.options.window);
  RunRanks(world_size, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    ASSERT_TRUE(job.trainer->BroadcastWeights(kLimit).ok());
    const auto done = job.trainer->RunUntil(steps);
    ASSERT_TRUE(done.ok()) << done.status();
    const auto snapshot = job.trainer->SnapshotStatistics(kLimit);
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    if (collective.rank() != 0) return;
    outcome = {.model = Copied(job.trainer->ModelTensors()),
               .optimizer = Copied(job.trainer->OptimizerTensors()),
               .open = snapshot->open_window,
               .totals = snapshot->totals_in_force,
               .reports = job.monitor.reports};
  });
  return outcome;
}

void ExpectClose(const std::vector<model::NamedTensor>& got,
                 const std::vector<model::NamedTensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].name, expected[i].name);
    // Beside the largest number of the tensor: sums in double that run in another order.
    const double largest = expected[i].tensor.abs().max().item<double>();
    const double off = (got[i].tensor - expected[i].tensor).abs().max().item<double>();
    EXPECT_LE(off, 1e-8 * largest) << got[i].name;
  }
}

JobSetup JobWith(OptimizerKind kind, bool by_operators) {
  JobSetup setup;
  setup.options.optimizer = kind;
  setup.options.learning_rate = 1e-3;
  setup.options.decay_norm = false;
  setup.options.compensation = CompensationMode::kLearnable;
  setup.options.frozen_batch_norm = false;
  setup.options.bucket_bytes = 100'000;  // several buckets
  setup.options.by_operators = by_operators;
  return setup;
}

// 8 steps in windows of 3: sums have moved at the end of windows, and an open window is left.
TEST(ByOperators, TrainsAsTheLoopsDo) {
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kAdamW}) {
    for (const int world_size : {1, 2}) {
      const Outcome got = Train(JobWith(kind, true), world_size, 8);
      const Outcome expected = Train(JobWith(kind, false), world_size, 8);
      ExpectClose(got.model, expected.model);
      ExpectClose(got.optimizer, expected.optimizer);
      EXPECT_EQ(got.open, expected.open);
      EXPECT_EQ(got.totals, expected.totals);
      ASSERT_EQ(got.reports.size(), expected.reports.size());
      EXPECT_NEAR(got.reports.back().loss, expected.reports.back().loss, 1e-9);
    }
  }
}

TEST(ByOperators, TheFirstUnsoundParameterIsNamedAsByTheLoops) {
  std::string messages[2];
  for (const bool by_operators : {false, true}) {
    JobSetup setup;
    setup.network.type = at::kFloat;
    setup.options.consistency = 1e38;  // the loss stays below 3.4e38, its gradient does not
    setup.options.by_operators = by_operators;
    Coordinator coordinator(1, setup.network.classes, 0.9, setup.options.window);
    RunRanks(1, [&](Collective& collective) {
      RankJob job(setup, collective, coordinator);
      const auto before = Copied(job.trainer->ModelTensors());
      const auto result = job.trainer->RunUntil(1);
      EXPECT_EQ(result.status().code(), absl::StatusCode::kOutOfRange) << result.status();
      messages[by_operators] = std::string(result.status().message());
      ExpectClose(job.trainer->ModelTensors(), before);
    });
  }
  EXPECT_EQ(messages[true], messages[false]);
  EXPECT_NE(messages[true].find("rank 0: the gradient of"), std::string::npos) << messages[true];
}

TEST(ByOperators, ALossThatIsNotFiniteAndTheRankAreNamed) {
  JobSetup setup = JobWith(OptimizerKind::kSgd, true);
  Coordinator coordinator(2, setup.network.classes, 0.9, setup.options.window);
  RunRanks(2, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    if (collective.rank() == 1) job.batches.spoil_step = 1;
    const auto result = job.trainer->RunUntil(3);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kOutOfRange) << result.status();
    EXPECT_NE(std::string(result.status().message()).find("rank 1: the loss of step 2"),
              std::string::npos)
        << result.status();
  });
}

// The update is on its way before the host looks: weights and moments keep every bit, and running
// statistics, averaged with those of a rank that has none, are not stored.
TEST(ByOperators, AFaultyStepIsOneThatChangesNothing) {
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kAdamW}) {
    JobSetup setup = JobWith(kind, true);
    setup.options.decay_norm = true;
    setup.options.weight_decay = 0.1;
    Coordinator coordinator(2, setup.network.classes, 0.9, setup.options.window);
    RunRanks(2, [&](Collective& collective) {
      RankJob job(setup, collective, coordinator);
      if (collective.rank() == 1) job.batches.spoil_step = 2;
      ASSERT_TRUE(job.trainer->RunUntil(2).ok());
      const auto weights = Copied(job.network->parameters());
      const auto moments = Copied(job.trainer->OptimizerTensors());
      EXPECT_EQ(job.trainer->RunUntil(3).status().code(), absl::StatusCode::kOutOfRange);
      EXPECT_EQ(job.trainer->step(), 2);
      ExpectSame(Copied(job.network->parameters()), weights);
      ExpectSame(Copied(job.trainer->OptimizerTensors()), moments);
      if (collective.rank() == 1) return;
      for (const auto& buffer : job.network->buffers()) {
        EXPECT_TRUE(buffer.tensor.isfinite().all().item<bool>()) << buffer.name;
      }
    });
  }
}

TEST(ByOperators, CommandsTravel) {
  for (const Command command : {Command::kStop, Command::kCheckpoint}) {
    JobSetup setup = JobWith(OptimizerKind::kSgd, true);
    Coordinator coordinator(2, setup.network.classes, 0.9, setup.options.window);
    RunRanks(2, [&](Collective& collective) {
      RankJob job(setup, collective, coordinator);
      if (collective.rank() == 0) {
        job.monitor.command_at = 2;
        job.monitor.command = command;
      }
      EXPECT_EQ(job.trainer->RunUntil(5).value(), command);
      EXPECT_EQ(job.trainer->step(), 2);
    });
  }
}

// Clamped, rounded to even, summed by sign: the sums of common/statistics to the last bit.
TEST(TensorMoments, AreThoseOfTheWindowSums) {
  const int classes = 5;
  const at::Tensor z_BK = at::randn({64, classes}, at::kFloat) * 300;
  z_BK[0][0] = 0.5F / 4096;
  z_BK[1][0] = 1.5F / 4096;
  z_BK[2][0] = -1e30F;
  const at::Tensor y_BK = at::rand({64, classes}, at::kFloat).lt(0.3).to(at::kFloat);
  statistics::WindowSums expected(classes), got(classes);
  TensorMoments moments(classes, at::kCPU);
  const auto span = [](const at::Tensor& t) {
    return std::span(t.const_data_ptr<float>(), static_cast<size_t>(t.numel()));
  };
  for (const auto branch : {statistics::kUniform, statistics::kRebalanced, statistics::kUniform}) {
    expected.Add(branch, span(z_BK), span(y_BK));
    moments.Add(branch, z_BK, y_BK);
  }
  ASSERT_TRUE(moments.MoveTo(got, kLimit).ok());
  EXPECT_EQ(got, expected);
  ASSERT_TRUE(moments.MoveTo(got, kLimit).ok());  // nothing is left
  EXPECT_EQ(got, expected);
}

}  // namespace
}  // namespace ltml::train
