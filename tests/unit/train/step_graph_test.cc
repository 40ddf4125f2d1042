// Steps given to the device from a record, held against plain ones.
#include "worker/train/step_graph.h"

#include <gmock/gmock.h>

#include "tests/unit/train/fake_device.h"
#include "tests/unit/train/fixture.h"
#include "tests/unit/train/tape.h"

namespace ltml::train {
namespace {

StepImages ImagesOf(int64_t uniform, int64_t rebalanced, float value) {
  const int64_t rows = uniform + rebalanced;
  return {.uniform = uniform,
          .rebalanced = rebalanced,
          .x_B3HW = at::full({rows, 3, 2, 2}, value),
          .y_BK = at::full({rows, 2}, value)};
}

// Adds up the pixels of all steps.
struct Adding {
  at::Tensor sum = at::zeros({});
  int calls = 0;
  StepGraph::Work work = [this](const StepImages& images) {
    ++calls;
    sum.add_(images.x_B3HW.sum());
  };
  double total() const { return sum.item<double>(); }
};

TEST(StepGraph, IsPlainWithoutARecorder) {
  StepGraph graph(nullptr, at::kCPU, kLimit);
  Adding adding;
  for (int step = 0; step < 6; ++step) {
    EXPECT_EQ(graph.Run(ImagesOf(1, 1, 1), adding.work), StepGraph::Way::kPlain);
  }
  EXPECT_EQ(adding.calls, 6);
}

TEST(StepGraph, RecordsOnceAfterAFewPlainSteps) {
  Tape tape;
  StepGraph graph(&tape, at::kCPU, kLimit);
  Adding adding;
  double expected = 0;
  for (int step = 0; step < 8; ++step) {
    const auto way = graph.Run(ImagesOf(1, 1, static_cast<float>(step)), adding.work);
    EXPECT_EQ(way,
              step < StepGraph::kPlainSteps ? StepGraph::Way::kPlain : StepGraph::Way::kRecorded);
    expected += 24 * step;
    EXPECT_EQ(adding.total(), expected) << step;
  }
  EXPECT_EQ(adding.calls, StepGraph::kPlainSteps + 1);
  EXPECT_EQ(tape.runs, StepGraph::kPlainSteps);
  EXPECT_EQ(tape.records, 1);
  EXPECT_EQ(tape.replays, 5);
}

TEST(StepGraph, StepsOfAnotherShapeStayPlain) {
  Tape tape;
  StepGraph graph(&tape, at::kCPU, kLimit);
  Adding adding;
  for (int step = 0; step < 5; ++step) graph.Run(ImagesOf(1, 1, 0), adding.work);
  EXPECT_EQ(graph.Run(ImagesOf(2, 1, 1), adding.work), StepGraph::Way::kPlain);
  EXPECT_EQ(graph.Run(ImagesOf(2, 0, 1), adding.work), StepGraph::Way::kPlain);  // another split
  EXPECT_EQ(graph.Run(ImagesOf(1, 1, 1), adding.work), StepGraph::Way::kRecorded);
  EXPECT_EQ(adding.total(), 12 * (3 + 2 + 2));
  EXPECT_EQ(tape.runs, StepGraph::kPlainSteps + 2);
}

TEST(StepGraph, WhereRecordingFailsStepsStayPlain) {
  Tape tape;
  tape.fails_after = 0;
  StepGraph graph(&tape, at::kCPU, kLimit);
  Adding adding;
  for (int step = 0; step < 6; ++step) {
    EXPECT_EQ(graph.Run(ImagesOf(1, 1, 1), adding.work), StepGraph::Way::kPlain);
    EXPECT_FALSE(graph.recording());
  }
  EXPECT_EQ(adding.total(), 6 * 24);
  EXPECT_EQ(tape.records, 1);
  EXPECT_EQ(tape.replays, 0);
}

// Before a record the device is waited for, with the step's limit.
TEST(StepGraph, WhereTheDeviceHangsNothingIsRecorded) {
  FakeDevice& device = FakeDevice::Get();
  device.Clear();
  device.queries_until_done = 1 << 30;
  Tape tape;
  StepGraph graph(&tape, FakeDevice::device(), std::chrono::milliseconds(20));
  Adding adding;
  for (int step = 0; step < 6; ++step) {
    EXPECT_EQ(graph.Run(ImagesOf(1, 1, 1), adding.work), StepGraph::Way::kPlain);
  }
  EXPECT_EQ(tape.records, 0);
  EXPECT_EQ(adding.total(), 6 * 24);
}

TEST(StepGraph, ALookAtAValueCannotBeRecorded) {
  Tape tape;
  const at::Tensor one = at::ones({});
  const absl::Status status = tape.Record([&] { (void)one.item<float>(); });
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("_local_scalar_dense"));
}

struct Outcome {
  std::vector<model::NamedTensor> tensors;  // of model and optimiser
  statistics::WindowSums open;
  std::vector<StepReport> reports;
  int replays = 0;
};

// What rank 0 has after 20 steps, from a record or plainly.
Outcome Train(const JobSetup& setup, int world_size, bool recorded, int fails_after = -1) {
  Outcome outcome;
  Coordinator coordinator(world_size, setup.network.classes, 0.9, setup.options.window);
  RunRanks(world_size, [&](Collective& collective) {
    Tape tape;
    tape.fails_after = fails_after;
    RankJob job(setup, collective, coordinator, {}, recorded ? &tape : nullptr);
    job.monitor.command_at = 9;
    job.monitor.command = Command::kCheckpoint;
    ASSERT_TRUE(job.trainer->BroadcastWeights(kLimit).ok());
    const auto first = job.trainer->RunUntil(20);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(*first, Command::kCheckpoint);
    EXPECT_EQ(job.trainer->step(), 9);
    const auto second = job.trainer->RunUntil(20);
    ASSERT_TRUE(second.ok()) << second.status();
    const auto snapshot = job.trainer->SnapshotStatistics(kLimit);
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    if (collective.rank() != 0) return;
    outcome.tensors = StateOf(*job.trainer);
    outcome.open = snapshot->open_window;
    outcome.reports = job.monitor.reports;
    outcome.replays = tape.replays;
  });
  return outcome;
}

void ExpectEqual(const Outcome& got, const Outcome& expected) {
  ExpectSame(got.tensors, expected.tensors);
  EXPECT_EQ(got.open, expected.open);
  EXPECT_EQ(got.reports.size(), 20);
  ExpectSameLosses(got.reports, expected.reports);
}

JobSetup Job(OptimizerKind kind, CompensationMode compensation) {
  JobSetup setup;
  setup.network.type = at::kFloat;
  setup.network.fused = false;
  setup.options.optimizer = kind;
  setup.options.learning_rate = 1e-2;
  setup.options.warmup_steps = 10;  // another learning rate every step
  setup.options.compensation = compensation;
  setup.options.frozen_batch_norm = false;
  setup.options.bucket_bytes = 100'000;
  setup.options.by_operators = true;
  return setup;
}

// Windows of 3 steps: the compensation changes while the record stays.
TEST(RecordedSteps, HaveTheBitsOfPlainOnes) {
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kAdamW}) {
    for (const auto mode : {CompensationMode::kStatistics, CompensationMode::kLearnable}) {
      const JobSetup setup = Job(kind, mode);
      for (const int world_size : {1, 2}) {
        const Outcome got = Train(setup, world_size, true);
        EXPECT_EQ(got.replays, 20 - StepGraph::kPlainSteps);
        ExpectEqual(got, Train(setup, world_size, false));
      }
    }
  }
}

TEST(RecordedSteps, SeparateStatisticsAndBfloat16AreRecordedToo) {
  JobSetup setup = Job(OptimizerKind::kSgd, CompensationMode::kStatistics);
  setup.network.separate_bn_statistics = true;
  setup.network.bfloat16 = true;
  ExpectEqual(Train(setup, 1, true), Train(setup, 1, false));
}

TEST(RecordedSteps, AFailedRecordLeavesNothingBehind) {
  JobSetup setup = Job(OptimizerKind::kSgd, CompensationMode::kStatistics);
  setup.options.frozen_batch_norm = true;  // the tape, unlike a GPU, has worked until it failed
  const Outcome got = Train(setup, 2, true, 200);
  EXPECT_EQ(got.replays, 0);
  ExpectEqual(got, Train(setup, 2, false));
}

TEST(RecordedSteps, AFaultIsToldAndChangesNothing) {
  JobSetup setup = Job(OptimizerKind::kSgd, CompensationMode::kStatistics);
  Coordinator coordinator(2, setup.network.classes, 0.9, setup.options.window);
  RunRanks(2, [&](Collective& collective) {
    Tape tape;
    RankJob job(setup, collective, coordinator, {}, &tape);
    if (collective.rank() == 1) job.batches.spoil_step = 6;
    ASSERT_TRUE(job.trainer->RunUntil(6).ok());
    const auto before = Copied(job.network->parameters());
    const auto result = job.trainer->RunUntil(7);
    EXPECT_THAT(std::string(result.status().message()),
                testing::HasSubstr("rank 1: the loss of step 7 is not finite"));
    EXPECT_EQ(tape.replays, 4);
    ExpectSame(Copied(job.network->parameters()), before);
  });
}

}  // namespace
}  // namespace ltml::train
