#include "worker/train/trainer.h"

#include <limits>

#include "tests/unit/train/fixture.h"
#include "worker/collective/collectives.h"

namespace ltml::train {
namespace {

struct Single {
  explicit Single(const JobSetup& setup)
      : coordinator(1, setup.network.classes, 0.9, setup.options.window),
        job(setup, *collective, coordinator) {}
  std::unique_ptr<Collective> collective = collective::MakeSingle();
  Coordinator coordinator;
  RankJob job;
};

at::Tensor Find(const std::vector<model::NamedTensor>& tensors, const std::string& name) {
  for (const auto& named : tensors) {
    if (named.name == name) return named.tensor;
  }
  ADD_FAILURE() << "no tensor " << name;
  return {};
}

// Of 12 steps on the same images.
std::vector<double> Losses(bool bfloat16) {
  JobSetup setup;
  setup.options.frozen_batch_norm = false;
  setup.options.learning_rate = 0.05;
  setup.network.type = at::kFloat;
  setup.network.bfloat16 = bfloat16;
  Single single(setup);
  single.job.batches.period = 1;
  EXPECT_TRUE(single.job.trainer->RunUntil(12).ok());
  std::vector<double> losses;
  for (const StepReport& report : single.job.monitor.reports) losses.push_back(report.loss);
  for (const auto& named : single.job.trainer->ModelTensors()) {
    EXPECT_EQ(named.tensor.scalar_type(), at::kFloat) << named.name;
  }
  return losses;
}

TEST(Trainer, LossFalls) {
  const std::vector<double> losses = Losses(false);
  EXPECT_LT(losses.back(), 0.7 * losses.front());
}

// bfloat16 keeps 8 bits: the numbers differ, more with every step, and the loss falls as well.
TEST(Trainer, LossFallsInBfloat16AsInFloat32) {
  const std::vector<double> rough = Losses(true), exact = Losses(false);
  EXPECT_NEAR(rough.front(), exact.front(), 0.05 * exact.front());
  EXPECT_NE(rough.front(), exact.front());
  EXPECT_LT(rough.back(), 0.7 * rough.front());
}

TEST(Trainer, ReportsTheFirstTheLoggedAndTheLastStep) {
  JobSetup setup;
  setup.options.steps = 7;
  setup.options.log_every_steps = 3;
  Single single(setup);
  ASSERT_TRUE(single.job.trainer->RunUntil(100).ok());
  std::vector<int64_t> steps;
  for (const StepReport& report : single.job.monitor.reports) {
    steps.push_back(report.step);
    EXPECT_GT(report.images_per_second, 0);
    EXPECT_GE(report.data_wait_ratio, 0);
    EXPECT_LE(report.data_wait_ratio, 1);
    EXPECT_NEAR(report.loss,
                report.classification_uniform + report.classification_rebalanced +
                    setup.options.consistency * report.consistency,
                1e-12);
  }
  EXPECT_EQ(steps, (std::vector<int64_t>{1, 3, 6, 7}));
  EXPECT_EQ(single.job.monitor.last_counter, 7);
}

TEST(Trainer, SingleBranchTrainsOnItsStreamAlone) {
  JobSetup setup;
  setup.network.branches = model::Branches::kRebalanced;
  setup.options.compensation = CompensationMode::kLearnable;
  Single single(setup);
  single.job.batches.streams = {"r"};
  ASSERT_TRUE(single.job.trainer->RunUntil(2).ok());
  const StepReport& report = single.job.monitor.reports.back();
  EXPECT_EQ(report.classification_uniform, 0);
  EXPECT_EQ(report.consistency, 0);
  EXPECT_GT(report.classification_rebalanced, 0);
  EXPECT_NEAR(report.loss, report.classification_rebalanced, 1e-12);
  for (const auto& named : single.job.trainer->ModelTensors()) {
    EXPECT_FALSE(named.name.starts_with("f.")) << named.name;
    EXPECT_EQ(named.name.find("compensation.uniform"), std::string::npos) << named.name;
  }
  const statistics::WindowSums& sums = single.job.trainer->open_window();
  for (int k = 0; k < setup.network.classes; ++k) {
    EXPECT_EQ(sums.at(statistics::kUniform, statistics::kNegative).n[k], 0);
    EXPECT_EQ(sums.at(statistics::kRebalanced, statistics::kPositive).n[k] +
                  sums.at(statistics::kRebalanced, statistics::kNegative).n[k],
              10);
  }
}

TEST(Trainer, NamesTheParameterWhoseGradientIsNotFinite) {
  JobSetup setup;
  // The loss stays below 3.4e38, its gradient does not.
  setup.network.type = at::kFloat;
  setup.options.consistency = 1e38;
  Single single(setup);
  const auto result = single.job.trainer->RunUntil(1);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kOutOfRange) << result.status();
  EXPECT_NE(std::string(result.status().message()).find("rank 0: the gradient of"),
            std::string::npos)
      << result.status();
}

TEST(Trainer, DecayLeavesNormAndBiasAloneOnRequest) {
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kAdamW}) {
    JobSetup setup;
    setup.options.optimizer = kind;
    setup.options.weight_decay = 0.25;
    setup.options.decay_norm = false;
    setup.options.learning_rate = 0.01;
    JobSetup plain = setup;
    plain.options.weight_decay = 0;
    Single decayed(setup), undecayed(plain);
    ASSERT_TRUE(decayed.job.trainer->RunUntil(1).ok());
    ASSERT_TRUE(undecayed.job.trainer->RunUntil(1).ok());
    const auto others = undecayed.job.trainer->ModelTensors();
    for (const auto& named : decayed.job.trainer->ModelTensors()) {
      EXPECT_EQ(at::equal(named.tensor, Find(others, named.name)), named.tensor.dim() <= 1)
          << named.name;
    }
  }
}

TEST(Trainer, StateOfTheOptimiserCarriesARunOn) {
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kAdamW}) {
    JobSetup setup;
    setup.options.optimizer = kind;
    setup.options.learning_rate = 1e-3;
    setup.options.compensation = CompensationMode::kLearnable;
    setup.options.frozen_batch_norm = false;
    Single whole(setup), first(setup), second(setup);
    ASSERT_TRUE(whole.job.trainer->RunUntil(5).ok());
    ASSERT_TRUE(first.job.trainer->RunUntil(3).ok());
    const auto copy = [](std::vector<model::NamedTensor> to, std::vector<model::NamedTensor> from) {
      ASSERT_EQ(to.size(), from.size());
      for (size_t i = 0; i < to.size(); ++i) to[i].tensor.copy_(from[i].tensor);
    };
    copy(second.job.trainer->ModelTensors(), first.job.trainer->ModelTensors());
    copy(second.job.trainer->OptimizerTensors(), first.job.trainer->OptimizerTensors());
    ASSERT_TRUE(
        second.job.trainer->Restore(first.job.trainer->SnapshotStatistics(kLimit).value()).ok());
    EXPECT_EQ(second.job.trainer->step(), 3);
    Coordinator resumed(1, setup.network.classes, 0.9, setup.options.window,
                        first.job.trainer->SnapshotStatistics(kLimit).value());
    ASSERT_TRUE(second.job.trainer->RunUntil(5).ok());
    const auto expected = whole.job.trainer->ModelTensors();
    for (const auto& named : second.job.trainer->ModelTensors()) {
      EXPECT_TRUE(at::equal(named.tensor, Find(expected, named.name))) << named.name;
    }
  }
}

TEST(Trainer, RefusesOptionsThatMakeNoSense) {
  const auto refused = [](const JobSetup& setup) {
    const auto network = model::Network::Create(setup.network, 1).value();
    const auto collective = collective::MakeSingle();
    Coordinator coordinator(1, 4, 0.9, 1);
    Grants grants(coordinator);
    FormulaBatches batches(1, 4, 32, 0, 1);
    RecordingMonitor monitor;
    return Trainer::Create(setup.options, {*network, *collective, grants, batches, monitor})
        .status();
  };
  JobSetup setup;
  setup.options.global_batch = 0;
  EXPECT_EQ(refused(setup).code(), absl::StatusCode::kInvalidArgument);
  setup = {};
  setup.options.window = 0;
  EXPECT_EQ(refused(setup).code(), absl::StatusCode::kInvalidArgument);
  setup = {};
  setup.options.window = int64_t{1} << 21;
  EXPECT_EQ(refused(setup).code(), absl::StatusCode::kInvalidArgument);
  setup = {};
  setup.options.compensation = CompensationMode::kLabels;
  EXPECT_EQ(refused(setup).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Trainer, ABatchOfTheWrongSizeIsAnError) {
  JobSetup setup;
  setup.options.image_size = 33;
  Single single(setup);
  FormulaBatches wrong(5, 4, 32, 0, 1);
  auto network = model::Network::Create(setup.network, 1).value();
  auto trainer = Trainer::Create(
      setup.options, {*network, *single.collective, single.job.grants, wrong, single.job.monitor});
  EXPECT_EQ((*trainer)->RunUntil(1).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace ltml::train
