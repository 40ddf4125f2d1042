#include "worker/train/schedule.h"

#include <gtest/gtest.h>

#include "tests/unit/train/golden.h"

namespace ltml::train {
namespace {

double RateOf(const Golden& item, double base, int64_t t) {
  if (item["kind"].text() == "cosine") {
    const auto warm_up = static_cast<int64_t>(item.NumberOr("warmup", 0));
    const double minimum = item.NumberOr("min_lr", 0);
    if (t < warm_up) return base * WarmUpFactor(item["warmup_start_factor"].number(), warm_up, t);
    return CosineDecay(base, minimum, t - warm_up,
                       static_cast<int64_t>(item["total"].number()) - warm_up);
  }
  std::vector<int64_t> milestones;
  for (const double m : item["milestones"].numbers()) milestones.push_back(static_cast<int64_t>(m));
  return StepDecay(base, item["gamma"].number(), milestones, t);
}

TEST(Schedule, EqualsGoldenValues) {
  const Golden golden = Golden::Read("schedules.json");
  const double base = golden["base_lr"].number();
  int compared = 0;
  for (const Golden& item : golden[golden.Has("schedules") ? "schedules" : "cases"].items()) {
    const std::vector<double> rates = item["lr"].numbers();
    for (size_t t = 0; t < rates.size(); ++t, ++compared) {
      EXPECT_NEAR(RateOf(item, base, static_cast<int64_t>(t)), rates[t], 1e-12)
          << item["name"].text() << " step " << t;
    }
  }
  EXPECT_GE(compared, 80);
}

TEST(Schedule, WarmUpAndCosineOfAJobEqualGoldenValues) {
  const Golden golden = Golden::Read("schedules.json");
  for (const Golden& item : golden[golden.Has("schedules") ? "schedules" : "cases"].items()) {
    if (item["name"].text() != "warmup_cosine") continue;
    TrainerOptions options;
    options.learning_rate = golden["base_lr"].number();
    options.steps = 20;
    options.warmup_steps = 4;
    options.warmup_start = 0.25;
    options.decay = Decay::kCosine;
    const std::vector<double> rates = item["lr"].numbers();
    for (int64_t t = 0; t < 20; ++t) {
      EXPECT_NEAR(LearningRate(options, t), rates[static_cast<size_t>(t)], 1e-12);
    }
  }
}

TEST(Schedule, StepsFallAtTheirShareOfTheRun) {
  TrainerOptions options;
  options.learning_rate = 1;
  options.steps = 480;  // 0.625 * 480 = 300, 0.875 * 480 = 420
  EXPECT_DOUBLE_EQ(LearningRate(options, 299), 1);
  EXPECT_DOUBLE_EQ(LearningRate(options, 300), 0.1);
  EXPECT_DOUBLE_EQ(LearningRate(options, 419), 0.1);
  EXPECT_NEAR(LearningRate(options, 420), 0.01, 1e-15);
  options.steps = 5;  // ceil(3.125) = 4, ceil(4.375) = 5
  EXPECT_DOUBLE_EQ(LearningRate(options, 3), 1);
  EXPECT_DOUBLE_EQ(LearningRate(options, 4), 0.1);
}

TEST(Schedule, AMilestoneIsNotLateBecauseOfRounding) {
  TrainerOptions options;
  options.learning_rate = 1;
  options.steps = 100;
  options.milestones = {0.55};  // 0.55 * 100 = 55.000000000000007
  EXPECT_DOUBLE_EQ(LearningRate(options, 54), 1);
  EXPECT_DOUBLE_EQ(LearningRate(options, 55), 0.1);
}

TEST(Schedule, WarmUpIsLinear) {
  TrainerOptions options;
  options.learning_rate = 0.02;
  options.steps = 10000;
  options.warmup_steps = 500;
  options.warmup_start = 0.5;
  EXPECT_DOUBLE_EQ(LearningRate(options, 0), 0.01);
  EXPECT_DOUBLE_EQ(LearningRate(options, 250), 0.015);
  EXPECT_DOUBLE_EQ(LearningRate(options, 500), 0.02);
}

}  // namespace
}  // namespace ltml::train
