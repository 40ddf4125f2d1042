#include "common/view/checkpoint_statistics.h"

#include <gtest/gtest.h>

#include <random>

#include "common/statistics/convert.h"

namespace ltml::view {
namespace {

using statistics::DecayedTotals;
using statistics::WindowSums;

constexpr int kClasses = 3;

WindowSums Random(uint64_t seed) {
  std::mt19937_64 random(seed);
  WindowSums sums(kClasses);
  std::vector<float> logits(16 * kClasses), labels(16 * kClasses);
  for (const auto branch : statistics::kBranches) {
    for (float& logit : logits) logit = static_cast<float>(random() % 1000) / 100;
    for (float& label : labels) label = static_cast<float>(random() % 2);
    sums.Add(branch, logits, labels);
  }
  return sums;
}

v1::CheckpointState State(const DecayedTotals& totals, const WindowSums& previous,
                          const WindowSums& open) {
  v1::CheckpointState state;
  for (const char* name : {"a", "b", "c"}) state.add_classes(name);
  v1::Loss& loss = *state.mutable_job()->mutable_loss();
  loss.set_compensation(v1::Loss::COMPENSATION_STATISTICS);
  loss.set_statistics_form(v1::Loss::STATISTICS_FORM_RELATIVE);
  loss.set_statistics_decay(0.9);
  loss.set_statistics_prior(50);
  *state.mutable_statistics()->mutable_totals_in_force() = statistics::ToProto(totals);
  *state.mutable_statistics()->mutable_previous_window() = statistics::ToProto(previous);
  *state.mutable_statistics()->mutable_open_window() = statistics::ToProto(open);
  return state;
}

TEST(CheckpointStatistics, CountsAllWindowsAndTheOpenOne) {
  DecayedTotals totals(kClasses);
  totals.Fold(Random(1), 0.9);
  totals.Fold(Random(2), 0.9);
  const auto read = StatisticsOf(State(totals, Random(3), Random(4)));
  ASSERT_TRUE(read.ok()) << read.status();
  for (int k = 0; k < kClasses; ++k) {
    int64_t uniform = 0, rebalanced = 0;
    for (const uint64_t seed : {1, 2, 3, 4}) {
      uniform += Random(seed).at(statistics::kUniform, statistics::kPositive).n[k];
      rebalanced += Random(seed).at(statistics::kRebalanced, statistics::kPositive).n[k];
    }
    EXPECT_EQ(read->uniform_positives(k), uniform);
    EXPECT_EQ(read->rebalanced_positives(k), rebalanced);
  }
  // Compensation is made of whole windows.
  DecayedTotals whole = totals;
  whole.Fold(Random(3), 0.9);
  const auto expected =
      statistics::ToProto(statistics::Compensate(whole, 50, statistics::Form::kRelative));
  EXPECT_EQ(read->compensation().SerializeAsString(), expected.SerializeAsString());
}

TEST(CheckpointStatistics, OfAFreshRunAreNone) {
  v1::CheckpointState state =
      State(DecayedTotals(kClasses), WindowSums(kClasses), WindowSums(kClasses));
  state.clear_statistics();
  state.mutable_job()->mutable_loss()->set_compensation(v1::Loss::COMPENSATION_NONE);
  const auto read = StatisticsOf(state);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->uniform_positives().empty());
  EXPECT_FALSE(read->has_compensation());
}

TEST(CheckpointStatistics, RefusesOtherNumbersOfClasses) {
  v1::CheckpointState state = State(DecayedTotals(kClasses), Random(1), WindowSums(kClasses));
  state.add_classes("d");
  EXPECT_EQ(StatisticsOf(state).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ltml::view
