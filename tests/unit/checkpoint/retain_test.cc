#include "tests/unit/checkpoint/run_folder.h"
#include "worker/checkpoint/checkpoint.h"

namespace ltml::checkpoint {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

using RetainTest = RunFolderTest;
using FindNewestTest = RunFolderTest;

void Leave(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "model.safetensors") << "half a fi";
}

TEST_F(FindNewestTest, IsTheHighestStep) {
  MustWrite(20);
  MustWrite(1'000'000'000);
  MustWrite(100);
  const auto newest = FindNewest(run());
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(newest->state.step(), 1'000'000'000);
  EXPECT_EQ(newest->folder, checkpoints() / "step-1000000000");
  EXPECT_TRUE(newest->skipped.empty());
}

TEST_F(FindNewestTest, FallsBackAndSaysWhatItSkipped) {
  MustWrite(1);
  MustWrite(2);
  FlipBit(MustWrite(3) / "model.safetensors", 1);
  std::filesystem::remove(MustWrite(4) / "manifest.json");
  const auto newest = FindNewest(run());
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(newest->state.step(), 2);
  EXPECT_THAT(
      newest->skipped,
      ElementsAre(AllOf(HasSubstr("step-000000004"), HasSubstr("manifest.json")),
                  AllOf(HasSubstr("step-000000003/model.safetensors"), HasSubstr("sha256"))));
}

TEST_F(FindNewestTest, WithoutAnyIsNotFound) {
  EXPECT_EQ(FindNewest(run()).status().code(), absl::StatusCode::kNotFound);
  std::filesystem::remove(MustWrite(3) / "state.json");
  const auto newest = FindNewest(run());
  EXPECT_EQ(newest.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(newest.status().message()), HasSubstr("state.json"));
}

TEST_F(FindNewestTest, IgnoresTemporaryAndForeignFolders) {
  MustWrite(3);
  Leave(checkpoints() / ".partial-Ab12cD");
  Leave(checkpoints() / "step-9");
  Leave(checkpoints() / "step-000000009x");
  Leave(checkpoints() / "notes");
  const auto newest = FindNewest(run());
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(newest->state.step(), 3);
  EXPECT_TRUE(newest->skipped.empty());
}

TEST_F(FindNewestTest, DoesNotGoBackBehindACheckpointOfALaterVersion) {
  MustWrite(1);
  const auto later = MustWrite(2) / kManifestFile;
  std::string text = *base::ReadFile(later);
  text.replace(text.find("\"format_version\": 1"), 19, "\"format_version\": 2");
  ASSERT_TRUE(base::WriteFileAtomically(later, text).ok());
  const auto newest = FindNewest(run());
  EXPECT_TRUE(absl::IsFailedPrecondition(newest.status())) << newest.status();
  EXPECT_THAT(std::string(newest.status().message()), HasSubstr("newer ltml"));
}

TEST_F(RetainTest, KeepsTheNewestTheBestAndForeignFolders) {
  for (const int64_t step : {1, 2, 3, 4, 5}) MustWrite(step);
  Leave(checkpoints() / "notes");
  ASSERT_TRUE(Retain(run(), 2, 1).ok());
  EXPECT_THAT(Names(),
              UnorderedElementsAre("step-000000001", "step-000000004", "step-000000005", "notes"));
}

v1::CheckpointState Evaluated(std::initializer_list<std::pair<int64_t, double>> totals) {
  v1::CheckpointState state;
  for (const auto& [step, total] : totals) {
    v1::EvaluationPoint& point = *state.add_evaluations();
    point.set_step(step);
    point.mutable_mean_average_precision()->set_total(total);
  }
  return state;
}

TEST_F(RetainTest, KeepsTheBestOfEachKeptCheckpoint) {
  MustWrite(5);
  MustWrite(10, Evaluated({{10, 0.5}}));
  MustWrite(20, Evaluated({{10, 0.5}, {20, 0.4}}));
  MustWrite(30, Evaluated({{10, 0.5}, {20, 0.4}, {30, 0.6}}));
  ASSERT_TRUE(Retain(run(), 2, 30).ok());
  // Were step 30 damaged, the run would go on from 20, whose best is 10.
  EXPECT_THAT(Names(), UnorderedElementsAre("step-000000010", "step-000000020", "step-000000030"));
}

TEST_F(RetainTest, SweepsLeftovers) {
  MustWrite(1);
  Leave(checkpoints() / ".partial-Ab12cD");
  ASSERT_TRUE(Retain(run(), 3, -1).ok());
  EXPECT_THAT(Names(), ElementsAre("step-000000001"));
}

TEST_F(RetainTest, NeverRemovesTheNewestWholeOne) {
  MustWrite(1);
  MustWrite(2);
  FlipBit(MustWrite(3) / "model.safetensors", 1);
  FlipBit(MustWrite(4) / "model.safetensors", 1);
  ASSERT_TRUE(Retain(run(), 1, -1).ok());
  EXPECT_THAT(Names(), UnorderedElementsAre("step-000000002", "step-000000003", "step-000000004"));
  EXPECT_EQ(FindNewest(run())->state.step(), 2);
}

TEST_F(RetainTest, KeepsAtLeastOne) {
  MustWrite(1);
  MustWrite(2);
  ASSERT_TRUE(Retain(run(), 0, -1).ok());
  EXPECT_THAT(Names(), ElementsAre("step-000000002"));
}

TEST_F(RetainTest, RemovesNothingWhenNoneIsWhole) {
  for (const int64_t step : {1, 2, 3}) FlipBit(MustWrite(step) / "model.safetensors", 1);
  ASSERT_TRUE(Retain(run(), 1, -1).ok());
  EXPECT_EQ(Names().size(), 3u);
}

TEST_F(RetainTest, OfARunWithoutCheckpointsDoesNothing) { EXPECT_TRUE(Retain(run(), 1, -1).ok()); }

void AddEvaluation(v1::CheckpointState& state, int64_t step, std::optional<double> total) {
  auto& point = *state.add_evaluations();
  point.set_step(step);
  if (total) point.mutable_mean_average_precision()->set_total(*total);
}

TEST(BestStep, IsTheHighestAndTheEarliestOnTies) {
  v1::CheckpointState state;
  EXPECT_EQ(BestStep(state), -1);
  AddEvaluation(state, 100, std::nullopt);
  EXPECT_EQ(BestStep(state), -1);
  AddEvaluation(state, 200, 0.0);
  EXPECT_EQ(BestStep(state), 200);
  AddEvaluation(state, 300, 0.5);
  AddEvaluation(state, 400, 0.5);
  AddEvaluation(state, 500, 0.4);
  EXPECT_EQ(BestStep(state), 300);
}

}  // namespace
}  // namespace ltml::checkpoint
