#include "cli/run_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/context.h"
#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/config/job_file.h"

namespace ltml::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class RunFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    data_.set_fingerprint("f1");
    ASSERT_TRUE(StartRun(run_, Job({}), data_).ok());
  }

  static v1::JobSpec Job(const std::vector<std::string>& overrides) {
    const auto job =
        config::ReadJobFile(LTML_SOURCE_DIR "/tests/unit/config/small_job.toml", overrides);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or(v1::JobSpec());
  }

  // A whole checkpoint with the evaluations "step: mAP" so far.
  fs::path AddCheckpoint(int64_t step, const std::vector<std::pair<int64_t, double>>& evaluations) {
    v1::CheckpointState state;
    state.set_step(step);
    for (const auto& [at, value] : evaluations) {
      v1::EvaluationPoint& point = *state.add_evaluations();
      point.set_step(at);
      point.mutable_mean_average_precision()->set_total(value);
    }
    const fs::path folder = run_ / "checkpoints" / fmt::format("step-{:09}", step);
    fs::create_directories(folder);
    EXPECT_TRUE(base::WriteJsonFile(folder / "state.json", state).ok());
    EXPECT_TRUE(base::WriteFileAtomically(folder / "manifest.json", "{}").ok());
    return folder;
  }

  base::PrivateFolder scratch_ = *base::PrivateFolder::Create("ltml-run");
  fs::path run_ = scratch_.path() / "run";
  v1::DatasetInfo data_;
};

TEST_F(RunFolderTest, AnExistingRunNeedsResume) {
  const absl::Status again = StartRun(run_, Job({}), data_);
  EXPECT_EQ(ExitCode(again), 6);
  EXPECT_THAT(std::string(again.message()), HasSubstr("go on with its run by --resume"));
}

TEST_F(RunFolderTest, ResumeMayChangeTheseSettings) {
  const v1::JobSpec job =
      Job({"resources.ranks=2", "resources.threads_per_rank=2", "limits.step=1m",
           "evaluation.final=last", "checkpoint.every_steps=7", "data.loader_threads=3",
           "schedule.steps=200"});
  const auto resumed = CheckResume(run_, job, data_);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(resumed->schedule().steps(), 200);
  EXPECT_EQ(resumed->schedule().warmup_steps(), 10) << "the warm-up of the run as it was started";
}

TEST_F(RunFolderTest, AnExtendedRunCanBeResumedAgain) {
  for (const char* steps : {"schedule.steps=200", "schedule.steps=200", "schedule.steps=300"}) {
    const auto resumed = CheckResume(run_, Job({steps}), data_);
    ASSERT_TRUE(resumed.ok()) << resumed.status();
    EXPECT_EQ(resumed->schedule().warmup_steps(), 10);
    ASSERT_TRUE(RecordJob(run_, *resumed).ok());
  }
  EXPECT_FALSE(
      CheckResume(run_, Job({"schedule.steps=300", "schedule.warmup_steps=11"}), data_).ok());
}

TEST_F(RunFolderTest, ResumeRefusesOtherSettings) {
  const auto resumed =
      CheckResume(run_, Job({"schedule.steps=50", "model.width=32", "resources.ranks=2"}), data_);
  EXPECT_EQ(ExitCode(resumed.status()), 2);
  const std::string message(resumed.status().message());
  EXPECT_THAT(message, HasSubstr("\nmodel.width: 64 != 32\n"));
  EXPECT_THAT(message, HasSubstr("\nschedule.steps: 100 != 50\n"));
  EXPECT_EQ(message.find("resources.ranks"), std::string::npos);
}

TEST_F(RunFolderTest, ResumeRefusesOtherData) {
  data_.set_fingerprint("f2");
  const auto resumed = CheckResume(run_, Job({}), data_);
  EXPECT_EQ(ExitCode(resumed.status()), 1);
  EXPECT_THAT(std::string(resumed.status().message()),
              HasSubstr("got fingerprint f2, expected f1"));
}

TEST_F(RunFolderTest, ResumeNeedsARun) {
  EXPECT_EQ(ExitCode(CheckResume(scratch_.path() / "other", Job({}), data_).status()), 3);
}

TEST_F(RunFolderTest, BestCheckpointIsTheEarliestOfTheHighest) {
  AddCheckpoint(10, {{10, 0.3}});
  const fs::path best = AddCheckpoint(20, {{10, 0.3}, {20, 0.5}});
  AddCheckpoint(100, {{10, 0.3}, {20, 0.5}, {100, 0.5}});
  const auto found = FindCheckpoint(run_);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->folder, best);
  EXPECT_EQ(found->state.step(), 20);
}

TEST_F(RunFolderTest, ADamagedNewestCheckpointIsPassedOver) {
  const fs::path best = AddCheckpoint(10, {{10, 0.5}});
  AddCheckpoint(20, {{10, 0.5}, {20, 0.3}});
  const fs::path damaged = AddCheckpoint(30, {{10, 0.5}, {20, 0.3}});
  ASSERT_TRUE(base::WriteFileAtomically(damaged / "state.json", "{").ok());
  const auto found = FindCheckpoint(run_);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->folder, best);
  EXPECT_EQ(ExitCode(FindCheckpoint(damaged).status()), 1);
}

TEST_F(RunFolderTest, WithoutEvaluationsTheNewestIsTaken) {
  AddCheckpoint(999, {});
  const fs::path newest = AddCheckpoint(1000, {});
  fs::create_directories(run_ / "checkpoints" / "step-000002000");  // no manifest: not whole
  EXPECT_EQ(FindCheckpoint(run_)->folder, newest);
  EXPECT_EQ(FindCheckpoint(newest)->folder, newest);
}

TEST_F(RunFolderTest, NothingToFind) {
  EXPECT_EQ(ExitCode(FindCheckpoint(run_).status()), 3);
  EXPECT_EQ(ExitCode(FindCheckpoint(run_ / "nowhere").status()), 3);
}

TEST_F(RunFolderTest, NewestAttemptCountsByNumber) {
  EXPECT_EQ(NewestAttempt(run_), fs::path());
  for (const char* name : {"9", "10", "x"}) fs::create_directories(run_ / "attempts" / name);
  EXPECT_EQ(NewestAttempt(run_), run_ / "attempts" / "10");
}

TEST(DefaultRunFolder, HasNameAndTime) {
  EXPECT_EQ(DefaultRunFolder("a", std::chrono::system_clock::from_time_t(1767323045)),
            fs::path("runs/a-20260102T030405Z"));
}

}  // namespace
}  // namespace ltml::cli
