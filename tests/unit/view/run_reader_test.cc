#include "common/view/run_reader.h"

#include <gmock/gmock.h>

#include "common/statistics/convert.h"
#include "tests/unit/view/fixture.h"

namespace ltml::view {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RunReaderTest : public RunFolderTest {
 protected:
  v1::RunView Read() {
    auto view = reader_.Read();
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? *view : v1::RunView();
  }
  void AppendValidation(int64_t step, std::vector<double> precision) {
    v1::ValidationLine line;
    line.set_step(step);
    line.mutable_mean_average_precision()->set_total(0.5);
    line.mutable_average_precision()->Assign(precision.begin(), precision.end());
    AppendLine("evaluations.jsonl", line);
  }
  RunReader reader_{run_};
};

TEST_F(RunReaderTest, AFolderWithoutAJobIsNone) {
  EXPECT_EQ(reader_.Read().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RunReaderTest, AFreshRunHasClassesAndNothingElse) {
  Begin();
  const v1::RunView view = Read();
  EXPECT_EQ(view.job().name(), "clipart-1");
  EXPECT_EQ(view.job().spec().name(), "clipart");
  EXPECT_EQ(view.job().state(), v1::JOB_STATE_UNSPECIFIED);
  EXPECT_EQ(view.train_images(), 240);
  ASSERT_EQ(view.classes_size(), 3);
  EXPECT_EQ(view.classes(0).group(), "head");
  EXPECT_EQ(view.classes(1).group(), "medium");
  EXPECT_EQ(view.classes(2).group(), "tail");
  EXPECT_EQ(view.classes(2).train_positives(), 5);
  EXPECT_FALSE(view.classes(2).has_uniform_positives());
  EXPECT_TRUE(view.steps().empty());
  EXPECT_TRUE(view.logs().empty());
}

TEST_F(RunReaderTest, FollowsStepsAndValidations) {
  Begin();
  AppendLine("metrics.jsonl", Step(1, 4));
  AppendLine("metrics.jsonl", Step(10, 2));
  AppendValidation(10, {0.5, -1, 0.25});
  v1::RunView view = Read();
  EXPECT_EQ(view.steps_size(), 2);
  EXPECT_EQ(view.job().step(), 10);
  EXPECT_EQ(view.job().metrics().loss(), 2);
  AppendLine("metrics.jsonl", Step(20, 1));
  AppendValidation(20, {0.75, -1, 0.5});
  AppendValidation(30, {0.75, -1});  // of another class table
  view = Read();
  EXPECT_EQ(view.job().step(), 20);
  EXPECT_THAT(view.validation_steps(), ElementsAre(10, 20));
  EXPECT_THAT(view.classes(0).average_precision(), ElementsAre(0.5, 0.75));
  EXPECT_THAT(view.classes(1).average_precision(), ElementsAre(-1, -1));
  EXPECT_EQ(view.job().evaluations_size(), 3);
}

TEST_F(RunReaderTest, KeepsTheLastValidationsOfClasses) {
  Begin();
  for (int step = 1; step <= 40; ++step) AppendValidation(step, {0.5, 0.5, step / 100.0});
  const v1::RunView view = Read();
  EXPECT_EQ(view.validation_steps_size(), static_cast<int>(RunReader::kValidations));
  EXPECT_EQ(*view.validation_steps().rbegin(), 40);
  EXPECT_EQ(*view.classes(2).average_precision().rbegin(), 0.4);
  EXPECT_EQ(view.job().evaluations_size(), 40);
}

TEST_F(RunReaderTest, ReadsTheNewestWholeCheckpoint) {
  Begin();
  const auto add = [this](int64_t step, int64_t positives, bool whole) {
    v1::CheckpointState state;
    state.set_step(step);
    for (const char* name : {"sky", "cow", "cat"}) state.add_classes(name);
    statistics::DecayedTotals totals(3);
    for (int k = 0; k < 3; ++k) {
      totals.at(statistics::kRebalanced, statistics::kPositive).delivered[k] = positives + k;
    }
    *state.mutable_statistics()->mutable_totals_in_force() = statistics::ToProto(totals);
    const auto folder =
        std::filesystem::path("checkpoints") / ("step-00000000" + std::to_string(step));
    Write(folder / "state.json", state);
    if (whole) Write(folder / "manifest.json", v1::CheckpointManifest());
  };
  add(3, 10, true);
  EXPECT_EQ(Read().classes(2).rebalanced_positives(), 12);
  add(5, 20, true);
  add(7, 30, false);
  const v1::RunView view = Read();
  EXPECT_EQ(view.job().checkpoint_step(), 5);
  EXPECT_TRUE(view.job().has_checkpoint_time());
  EXPECT_EQ(view.job().step(), 5);
  EXPECT_EQ(view.classes(2).rebalanced_positives(), 22);
  EXPECT_FALSE(view.classes(2).has_uniform_positives()) << "the run has no such stream";
}

TEST_F(RunReaderTest, TellsAttemptsWithCausesRanksAndLogs) {
  Begin();
  v1::AttemptSummary first;
  first.mutable_attempt()->set_epoch(1);
  first.mutable_attempt()->mutable_failure()->set_cause(v1::FAILURE_CAUSE_RANK_LOST);
  first.mutable_attempt()->mutable_failure()->set_rank(3);
  for (int rank = 0; rank < 4; ++rank) first.add_ranks()->set_rank(rank);
  Write("attempts/1/attempt.json", first);
  Append("attempts/1/rank-0.log", "zero\n");
  Append("attempts/1/rank-3.log", "bad \x1b byte \xFF\nthree\n");
  v1::RunView view = Read();
  EXPECT_EQ(view.job().state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(view.job().ranks_size(), 4);
  ASSERT_EQ(view.logs_size(), 2);
  EXPECT_EQ(view.logs(1).rank(), 3);
  EXPECT_EQ(view.logs(1).text(), "bad \\x1b byte \\xff\nthree\n");
  // A second one runs: the end of the first stays, logs are the second's.
  std::string long_log;
  for (int i = 0; i < 2000; ++i) long_log += "line " + std::to_string(i) + "\n";
  Append("attempts/2/rank-0.log", long_log);
  view = Read();
  EXPECT_EQ(view.job().state(), v1::JOB_STATE_UNSPECIFIED);
  EXPECT_EQ(view.job().attempts_size(), 2);
  EXPECT_EQ(view.job().attempts(0).failure().rank(), 3);
  ASSERT_EQ(view.logs_size(), 1);
  EXPECT_EQ(view.logs(0).attempt_epoch(), 2);
  EXPECT_TRUE(view.logs(0).text().starts_with("line "));
  EXPECT_TRUE(view.logs(0).text().ends_with("line 1999\n"));
  EXPECT_LT(view.logs(0).text().size(), 7000u);
}

TEST_F(RunReaderTest, AReportMeansSuccess) {
  Begin();
  v1::Report report;
  report.set_steps(100);
  Write("report.json", report);
  const v1::RunView view = Read();
  EXPECT_EQ(view.job().state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(view.report().steps(), 100);
}

TEST_F(RunReaderTest, SaysWhichFileIsDamaged) {
  Begin();
  Append("report.json", "{");
  const auto view = reader_.Read();
  EXPECT_EQ(view.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(view.status().message()), HasSubstr("report.json"));
}

}  // namespace
}  // namespace ltml::view
