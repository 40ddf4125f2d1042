#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/base/files.h"
#include "common/base/proto_time.h"
#include "common/config/job_file.h"
#include "tests/unit/data/small_dataset.h"
#include "worker/app/cause.h"
#include "worker/app/options.h"
#include "worker/app/report.h"
#include "worker/app/resume.h"
#include "worker/app/run_log.h"
#include "worker/collective/collectives.h"

namespace ltml::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class AppTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::PrivateFolder::Create("ltml-app-test");
    ASSERT_TRUE(folder.ok()) << folder.status();
    folder_ = *std::move(folder);
  }
  fs::path path(const char* name) const { return folder_.path() / name; }
  base::PrivateFolder folder_;
};

v1::StepMetrics Line(int64_t step) {
  v1::StepMetrics metrics;
  metrics.set_step(step);
  return metrics;
}

TEST_F(AppTest, RunLogDropsStepsThatWillBeTrainedAgainAndCutLines) {
  {
    auto log = RunLog::Open<v1::StepMetrics>(path("metrics.jsonl"), 0);
    ASSERT_TRUE(log.ok()) << log.status();
    for (const int64_t step : {1, 10, 20, 30}) ASSERT_TRUE(log->Append(Line(step)).ok());
  }
  std::ofstream(path("metrics.jsonl"), std::ios::app) << "{\"step\": \"4";
  auto log = RunLog::Open<v1::StepMetrics>(path("metrics.jsonl"), 20);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE(log->Append(Line(30)).ok());
  const std::string text = *base::ReadFile(path("metrics.jsonl"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
  EXPECT_THAT(text, HasSubstr("\"step\":\"20\""));
  EXPECT_EQ(text.find("\"step\":\"30\""), text.rfind("\"step\":\"30\""));
}

TEST_F(AppTest, RunLogNamesAFileItCannotWrite) {
  const auto log = RunLog::Open<v1::StepMetrics>("/no/such/folder/metrics.jsonl", 0);
  ASSERT_FALSE(log.ok());
  EXPECT_THAT(std::string(log.status().message()), HasSubstr("/no/such/folder/metrics.jsonl"));
}

TEST(CauseTest, MarksWinOverCodesAndTheFirstMarkStays) {
  EXPECT_EQ(CauseOf(absl::OutOfRangeError("x")), v1::FAILURE_CAUSE_NON_FINITE);
  EXPECT_EQ(CauseOf(absl::ResourceExhaustedError("x")), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
  EXPECT_EQ(CauseOf(absl::AbortedError("x")), v1::FAILURE_CAUSE_COORDINATOR_LOST);
  EXPECT_EQ(CauseOf(absl::DeadlineExceededError("x")), v1::FAILURE_CAUSE_COLLECTIVE);
  EXPECT_EQ(CauseOf(absl::UnknownError("x")), v1::FAILURE_CAUSE_INTERNAL);
  const absl::Status marked = WithCause(WithCause(absl::AbortedError("x"), v1::FAILURE_CAUSE_DATA),
                                        v1::FAILURE_CAUSE_STORAGE);
  EXPECT_EQ(CauseOf(marked), v1::FAILURE_CAUSE_DATA);
  EXPECT_TRUE(WithCause(absl::OkStatus(), v1::FAILURE_CAUSE_DATA).ok());
}

TEST_F(AppTest, PredictionsQuoteNamesAndKeepEveryBitOfAScore) {
  const float third = 1.0f / 3;
  ASSERT_TRUE(WritePredictions(path("p.csv"), {"a,b.jpg", "c\"d.jpg"}, {"cat", "big dog"},
                               {third, 1e-10f, 0, 1})
                  .ok());
  const std::string text = *base::ReadFile(path("p.csv"));
  EXPECT_EQ(text,
            "image,cat,big dog\n\"a,b.jpg\",0.333333343,1.00000001e-10\n\"c\"\"d.jpg\",0,1\n");
  EXPECT_EQ(std::stof("0.333333343"), third);
}

TEST(ReportTest, ClassesWithoutPositivesHaveNoAveragePrecision) {
  metrics::Evaluation evaluation;
  evaluation.average_precision = {0.5, std::nullopt};
  evaluation.positives = {3, 0};
  evaluation.mean.total = 0.5;
  evaluation.mean.head = 0.5;
  v1::Report report;
  FillEvaluation(evaluation, {"common", "rare"}, {100, 19}, &report);
  ASSERT_EQ(report.classes_size(), 2);
  EXPECT_EQ(report.classes(0).group(), "head");
  EXPECT_EQ(report.classes(1).group(), "tail");
  EXPECT_FALSE(report.classes(1).has_average_precision());
  EXPECT_FALSE(report.mean_average_precision().has_tail());
  EXPECT_EQ(report.mean_average_precision().total(), 0.5);
}

TEST_F(AppTest, OptionsCarryWhatTheJobSays) {
  std::ofstream(path("job.toml")) << R"(
[data]
train = "t"
[model]
architecture = "resnet34"
branches = "rebalanced"
width = 7
head_layers = [5, 6]
[streams]
seed = 9
global_batch = 12
[augmentation]
crop_scale = [0.25, 0.5]
[schedule]
steps = 77
[evaluation]
batch = 3
[limits]
step = "1.5s"
)";
  const auto job = config::ReadJobFile(path("job.toml"), {});
  ASSERT_TRUE(job.ok()) << job.status();
  const model::NetworkOptions network = NetworkOptionsOf(*job, 11, at::kCPU);
  EXPECT_EQ(network.architecture, model::Architecture::kResnet34);
  EXPECT_EQ(network.branches, model::Branches::kRebalanced);
  EXPECT_EQ(network.width, 7);
  EXPECT_EQ(network.classes, 11);
  EXPECT_EQ(network.head_layers, (std::vector<int>{5, 6}));
  const data::LoaderOptions loader = LoaderOptionsOf(*job, 1, 2, 40);
  EXPECT_FALSE(loader.use_uniform);
  EXPECT_TRUE(loader.use_rebalanced);
  EXPECT_EQ(loader.seed, 9u);
  EXPECT_EQ(loader.global_batch, 12);
  EXPECT_EQ(loader.first_step, 40);
  EXPECT_EQ(loader.steps, 77);
  EXPECT_EQ(loader.crop_scale, (std::array<double, 2>{0.25, 0.5}));
  EXPECT_EQ(EvaluationOptionsOf(*job, 1, 2).batch, 3);
  EXPECT_EQ(base::ToNanoseconds(job->limits().step()), std::chrono::milliseconds(1500));
}

// What the loader writes is what the trainer takes it for.
TEST_F(AppTest, LoaderAndTrainerAgreeOnTheOrderOfPixels) {
  const data::SmallDataset images(4);
  std::ofstream(path("job.toml")) << "[data]\ntrain = \"t\"\n[schedule]\nsteps = 1\n";
  auto job = config::ReadJobFile(path("job.toml"), {});
  ASSERT_TRUE(job.ok()) << job.status();
  v1::Resources& resources = *job->mutable_resources();
  for (const auto device : {v1::Resources::DEVICE_CPU, v1::Resources::DEVICE_CUDA}) {
    for (const auto precision :
         {v1::Resources::PRECISION_FLOAT32, v1::Resources::PRECISION_BFLOAT16}) {
      resources.set_device(device);
      resources.set_precision(precision);
      const auto trainer = TrainerOptionsOf(*job, *images.Open());
      ASSERT_TRUE(trainer.ok()) << trainer.status();
      const bool interleaved = LoaderOptionsOf(*job, 0, 1, 0).layout == data::Layout::kInterleaved;
      EXPECT_EQ(trainer->channels_last_pixels, interleaved) << resources.DebugString();
      EXPECT_EQ(interleaved, device == v1::Resources::DEVICE_CUDA ||
                                 precision == v1::Resources::PRECISION_BFLOAT16);
    }
  }
}

TEST(CheckPrecision, Bfloat16OnAProcessorNeedsItsInstructions) {
  v1::JobSpec job;
  v1::Resources& resources = *job.mutable_resources();
  resources.set_device(v1::Resources::DEVICE_CPU);
  for (const bool has : {false, true}) {
    resources.set_precision(v1::Resources::PRECISION_FLOAT32);
    EXPECT_TRUE(CheckPrecision(job, has).ok());
    resources.set_precision(v1::Resources::PRECISION_BFLOAT16);
    EXPECT_EQ(CheckPrecision(job, has).ok(), has);
  }
  const absl::Status refused = CheckPrecision(job, false);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CauseOf(refused), v1::FAILURE_CAUSE_CONFIGURATION);
  EXPECT_THAT(std::string(refused.message()),
              testing::AllOf(HasSubstr("resources.precision is \"bfloat16\""),
                             HasSubstr("has no AVX512-BF16"), HasSubstr("set it to \"float32\"")));
  resources.set_device(v1::Resources::DEVICE_CUDA);
  EXPECT_TRUE(CheckPrecision(job, false).ok());
}

v1::WorkerTask ResumeTask(const fs::path& run_folder) {
  v1::WorkerTask task;
  task.set_run_folder(run_folder.string());
  task.set_kind(v1::WorkerTask::KIND_TRAIN);
  task.set_checkpoint("newest");
  return task;
}

TEST_F(AppTest, ARunWithoutCheckpointsBeginsAtStepZero) {
  const auto collective = collective::MakeSingle();
  const auto start =
      FindStartingPoint(ResumeTask(folder_.path()), *collective, std::chrono::seconds(5));
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_FALSE(start->state.has_value());
}

TEST_F(AppTest, ARunWhoseCheckpointsAreAllDamagedIsNotStartedOver) {
  fs::create_directories(path("checkpoints") / "step-000000005");
  std::ofstream(path("checkpoints") / "step-000000005" / "manifest.json") << "{}";
  const auto collective = collective::MakeSingle();
  const auto start =
      FindStartingPoint(ResumeTask(folder_.path()), *collective, std::chrono::seconds(5));
  ASSERT_FALSE(start.ok());
  EXPECT_TRUE(absl::IsDataLoss(start.status()));
  EXPECT_EQ(CauseOf(start.status()), v1::FAILURE_CAUSE_STORAGE);
  EXPECT_THAT(std::string(start.status().message()), HasSubstr("step-000000005"));
}

}  // namespace
}  // namespace ltml::worker
