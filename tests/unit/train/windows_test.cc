#include "tests/unit/train/fixture.h"

namespace ltml::train {
namespace {

constexpr int64_t kWindow = 3;
constexpr int64_t kSteps = 9;

// Weights that never change: an image has the same logits in every step and on every rank.
JobSetup StillSetup() {
  JobSetup setup;
  setup.options.learning_rate = 0;
  setup.options.weight_decay = 0;
  setup.options.steps = kSteps;
  setup.options.window = kWindow;
  return setup;
}

// Sums of each step over the global batch, straight from the network.
std::vector<statistics::WindowSums> SumsOfSteps(const JobSetup& setup) {
  const auto network = model::Network::Create(setup.network, 17).value();
  FormulaBatches batches(setup.options.global_batch, setup.network.classes,
                         setup.options.image_size, 0, 1);
  const int64_t b = setup.options.global_batch, k = setup.network.classes;
  std::vector<statistics::WindowSums> sums;
  for (int64_t step = 0; step < kSteps; ++step) {
    Batch batch = **batches.Next(step, kLimit);
    const at::NoGradGuard no_grad;
    const at::Tensor x = at::from_blob(batch.pixels_B3HW.data(), {2 * b, 3, 32, 32}, at::kFloat);
    const model::Logits logits = network->ForwardFrozen(x.to(at::kDouble), b);
    const at::Tensor u = logits.u.to(at::kFloat).contiguous();
    const at::Tensor r = logits.r.to(at::kFloat).contiguous();
    const std::span<const float> labels = batch.labels_BK;
    sums.emplace_back(setup.network.classes);
    sums.back().Add(statistics::kUniform, std::span(u.const_data_ptr<float>(), b * k),
                    labels.first(b * k));
    sums.back().Add(statistics::kRebalanced, std::span(r.const_data_ptr<float>(), b * k),
                    labels.subspan(b * k));
  }
  return sums;
}

// What a checkpoint after `step` steps must hold, by brute force.
StatisticsSnapshot Expected(const std::vector<statistics::WindowSums>& steps, int64_t step) {
  const int classes = steps[0].classes();
  StatisticsSnapshot snapshot{.step = step,
                              .totals_in_force = statistics::DecayedTotals(classes),
                              .previous_window = statistics::WindowSums(classes),
                              .open_window = statistics::WindowSums(classes)};
  const int64_t window = step / kWindow;
  const auto sums_of = [&](int64_t w) {
    statistics::WindowSums sums(classes);
    for (int64_t s = w * kWindow; s < std::min((w + 1) * kWindow, step); ++s) sums.Merge(steps[s]);
    return sums;
  };
  for (int64_t w = 0; w + 2 <= window; ++w) snapshot.totals_in_force.Fold(sums_of(w), 0.9);
  if (window > 0) snapshot.previous_window = sums_of(window - 1);
  snapshot.open_window = sums_of(window);
  return snapshot;
}

void ExpectSame(const StatisticsSnapshot& got, const StatisticsSnapshot& expected) {
  SCOPED_TRACE("step " + std::to_string(expected.step));
  EXPECT_EQ(got.step, expected.step);
  EXPECT_TRUE(got.totals_in_force == expected.totals_in_force);
  EXPECT_TRUE(got.previous_window == expected.previous_window);
  EXPECT_TRUE(got.open_window == expected.open_window);
}

// Runs from `start` to the end and compares the snapshot after every step.
std::vector<StatisticsSnapshot> RunAndCompare(const JobSetup& setup, int world_size,
                                              const std::vector<statistics::WindowSums>& steps,
                                              const StatisticsSnapshot& start) {
  std::vector<StatisticsSnapshot> snapshots(kSteps + 1);
  Coordinator coordinator(world_size, setup.network.classes, 0.9, kWindow, start);
  RunRanks(world_size, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    if (start.step > 0) {
      ASSERT_TRUE(job.trainer->Restore(start).ok());
    }
    for (int64_t step = start.step;; ++step) {
      const auto snapshot = job.trainer->SnapshotStatistics(kLimit);
      ASSERT_TRUE(snapshot.ok()) << snapshot.status();
      ExpectSame(*snapshot, Expected(steps, step));
      if (collective.rank() == 0) snapshots[step] = *snapshot;
      if (step == kSteps) return;
      const auto command = job.trainer->RunUntil(step + 1);
      ASSERT_TRUE(command.ok()) << command.status();
    }
  });
  return snapshots;
}

TEST(Windows, SnapshotsEqualBruteForceOnAnyNumberOfRanks) {
  const JobSetup setup = StillSetup();
  const auto steps = SumsOfSteps(setup);
  RunAndCompare(setup, 1, steps, {});
  const auto snapshots = RunAndCompare(setup, 3, steps, {});
  for (int64_t step = 1; step <= kSteps; ++step) {
    SCOPED_TRACE("resumed at " + std::to_string(step));
    RunAndCompare(setup, 2, steps, snapshots[step]);
  }
}

TEST(Windows, TheLastWindowsSumsAreTheRanksOwn) {
  const JobSetup setup = StillSetup();
  const auto steps = SumsOfSteps(setup);
  Coordinator coordinator(1, setup.network.classes, 0.9, kWindow, Expected(steps, 7));
  RunRanks(1, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    ASSERT_TRUE(job.trainer->Restore(Expected(steps, 7)).ok());
    ASSERT_TRUE(job.trainer->RunUntil(kSteps).ok());
    statistics::WindowSums own = steps[7];
    own.Merge(steps[8]);
    EXPECT_TRUE(job.trainer->open_window() == own);
  });
}

TEST(Windows, RestoreRefusesAnotherNumberOfClassesAndSteps) {
  const JobSetup setup = StillSetup();
  Coordinator coordinator(1, setup.network.classes, 0.9, kWindow);
  RunRanks(1, [&](Collective& collective) {
    RankJob job(setup, collective, coordinator);
    StatisticsSnapshot other;
    other.step = 1;
    other.open_window = statistics::WindowSums(5);
    EXPECT_EQ(job.trainer->Restore(other).code(), absl::StatusCode::kInvalidArgument);
    other = {};
    other.step = kSteps + 1;
    EXPECT_EQ(job.trainer->Restore(other).code(), absl::StatusCode::kInvalidArgument);
  });
}

}  // namespace
}  // namespace ltml::train
