#include "common/view/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ltml::view {
namespace {

v1::ClassView Class(const char* name, int64_t train, std::vector<double> precision) {
  v1::ClassView one;
  one.set_name(name);
  one.set_train_positives(train);
  one.mutable_average_precision()->Assign(precision.begin(), precision.end());
  return one;
}

v1::RankStatus Rank(int number, double compute, double data, double sums) {
  v1::RankStatus rank;
  rank.set_rank(number);
  v1::RankTimes& times = *rank.mutable_times();
  times.set_steps(10);
  times.set_compute_seconds(10 * compute);
  times.set_data_wait_seconds(10 * data);
  times.set_collective_wait_seconds(10 * sums);
  return rank;
}

TEST(Precision, AndItsChange) {
  EXPECT_EQ(Precision(Class("a", 1, {})), std::nullopt);
  EXPECT_EQ(Precision(Class("a", 1, {0.5, -1})), std::nullopt);
  EXPECT_EQ(Precision(Class("a", 1, {0.5, 0.25})), 0.25);
  EXPECT_EQ(PrecisionChange(Class("a", 1, {0.5, 0.25})), -0.25);
  EXPECT_EQ(PrecisionChange(Class("a", 1, {0.5})), std::nullopt);
  EXPECT_EQ(PrecisionChange(Class("a", 1, {-1, 0.5})), std::nullopt);
}

TEST(Weakest, OfEqualOnesTheRarer) {
  v1::RunView view;
  *view.add_classes() = Class("common", 900, {0.2});
  *view.add_classes() = Class("unseen", 3, {-1});
  *view.add_classes() = Class("rare", 5, {0.2});
  *view.add_classes() = Class("good", 5, {0.9});
  *view.add_classes() = Class("bad", 50, {0.1});
  std::vector<std::string> names;
  for (const auto* one : Weakest(view, 3)) names.push_back(one->name());
  EXPECT_THAT(names, testing::ElementsAre("bad", "rare", "common"));
  EXPECT_EQ(Weakest(view, 10).size(), 4u);
}

TEST(StepTime, IsOfTheLastSecondsWhereThereAreSome) {
  v1::RankStatus rank = Rank(0, 2, 1, 0.5);
  EXPECT_EQ(StepTimeOf(rank).compute, 2);
  EXPECT_EQ(StepTimeOf(rank).total(), 3.5);
  rank.mutable_recent_times()->set_steps(4);
  rank.mutable_recent_times()->set_compute_seconds(1);
  EXPECT_EQ(StepTimeOf(rank).compute, 0.25);
  EXPECT_EQ(StepTimeOf(v1::RankStatus()).total(), 0);
}

TEST(Straggler, IsTheOneTheOthersWaitFor) {
  EXPECT_EQ(FindStraggler({Rank(0, 1, 0, 1)}), std::nullopt) << "alone";
  EXPECT_EQ(FindStraggler({Rank(0, 1, 0, 0.1), Rank(1, 1.1, 0, 0)}), std::nullopt) << "alike";
  const auto slow = FindStraggler({Rank(0, 1, 0, 1), Rank(1, 1, 0, 1), Rank(2, 2, 0, 0)});
  ASSERT_TRUE(slow.has_value());
  EXPECT_EQ(slow->rank, 2);
  EXPECT_EQ(slow->times_others, 2);
  // Its loader counts as its work; ranks that wait little are not held up.
  EXPECT_EQ(FindStraggler({Rank(0, 1, 3, 0), Rank(1, 1, 0, 3)})->rank, 0);
  EXPECT_EQ(FindStraggler({Rank(0, 2, 0, 0), Rank(1, 1, 0, 0.01)}), std::nullopt);
  EXPECT_EQ(FindStraggler({Rank(0, 1, 0, 0), v1::RankStatus()}), std::nullopt) << "not heard yet";
}

TEST(SecondsLeft, FollowFromTheRate) {
  v1::Job job;
  job.set_state(v1::JOB_STATE_RUNNING);
  job.mutable_spec()->mutable_schedule()->set_steps(100);
  job.mutable_spec()->mutable_streams()->set_global_batch(8);
  job.mutable_spec()->mutable_model()->set_branches(v1::Model::BRANCHES_BOTH);
  job.set_step(40);
  EXPECT_EQ(SecondsLeft(job), std::nullopt);
  job.mutable_metrics()->set_images_per_second(32);
  EXPECT_EQ(SecondsLeft(job), 60 * 16 / 32.0);
  job.mutable_spec()->mutable_model()->set_branches(v1::Model::BRANCHES_UNIFORM);
  EXPECT_EQ(SecondsLeft(job), 60 * 8 / 32.0);
  job.set_state(v1::JOB_STATE_PAUSED);
  EXPECT_EQ(SecondsLeft(job), std::nullopt);
}

}  // namespace
}  // namespace ltml::view
