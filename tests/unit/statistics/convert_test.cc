#include "common/statistics/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace ltml::statistics {
namespace {

using testing::HasSubstr;

WindowSums SomeSums() {
  WindowSums sums(2);
  sums.Add(kUniform, std::vector<float>{1.5f, -3, 2, 0.25f}, std::vector<float>{1, 0, 0, 1});
  sums.Add(kRebalanced, std::vector<float>{7, 8}, std::vector<float>{1, 1});
  return sums;
}

DecayedTotals SomeTotals() {
  DecayedTotals totals(2);
  totals.Fold(SomeSums(), 0.9);
  totals.Fold(SomeSums(), 0.9);
  return totals;
}

template <typename Values>
void ExpectRoundTrip(const Values& values) {
  const auto back = FromProto(ToProto(values), 2);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, values);
}

TEST(Convert, ThereAndBackIsTheSame) {
  ExpectRoundTrip(SomeSums());
  ExpectRoundTrip(SomeTotals());
  ExpectRoundTrip(Compensate(SomeTotals(), 5, Form::kRelative));
}

TEST(Convert, EmptyMessagesAreZerosAndNeutral) {
  EXPECT_EQ(*FromProto(v1::WindowSums(), 3), WindowSums(3));
  EXPECT_EQ(*FromProto(v1::DecayedTotals(), 3), DecayedTotals(3));
  EXPECT_EQ(*FromProto(v1::Compensation(), 3), Compensation::Neutral(3));
  EXPECT_EQ(ToProto(WindowSums()).uniform_positive().n_size(), 0);
}

TEST(Convert, OneBranchMayBeEmpty) {
  v1::WindowSums proto = ToProto(SomeSums());
  proto.clear_rebalanced_positive();
  proto.clear_rebalanced_negative();
  const auto got = FromProto(proto, 2);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->at(kUniform, kPositive), SomeSums().at(kUniform, kPositive));
  EXPECT_EQ(got->at(kRebalanced, kPositive), WindowSums(2).at(kRebalanced, kPositive));
}

template <typename Message>
void ExpectRefused(const Message& message, int classes, const std::string& text) {
  const auto got = FromProto(message, classes);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(got.status().message()), HasSubstr(text));
}

TEST(Convert, WrongLengthsAreNamed) {
  ExpectRefused(ToProto(SomeSums()), 3,
                "WindowSums.uniform_positive: n has 2 entries, expected one");
  v1::DecayedTotals totals = ToProto(SomeTotals());
  totals.mutable_rebalanced_negative()->clear_mean();
  ExpectRefused(totals, 2, "DecayedTotals.rebalanced_negative: mean has 0 entries");
  v1::Compensation compensation = ToProto(Compensation::Neutral(2));
  compensation.mutable_uniform_negative()->add_mu(0);
  ExpectRefused(compensation, 2, "Compensation.uniform_negative: mu has 3 entries");
}

TEST(Convert, ImpossibleSumsAreNamed) {
  v1::WindowSums sums = ToProto(SomeSums());
  sums.mutable_uniform_positive()->set_n(1, -1);
  ExpectRefused(sums, 2, "n of class 1 is -1");
  sums = ToProto(SomeSums());
  sums.mutable_uniform_positive()->set_n(0, int64_t{1} << 21);
  ExpectRefused(sums, 2, "a count below 2^21");
  sums = ToProto(SomeSums());
  sums.mutable_uniform_negative()->set_sum_q2(0, -5);
  ExpectRefused(sums, 2, "sum_q2 of class 0 is -5");
  sums = ToProto(SomeSums());
  sums.mutable_uniform_negative()->set_sum_q(0, int64_t{1} << 40);
  ExpectRefused(sums, 2, "sum_q of class 0");
}

TEST(Convert, ImpossibleTotalsAreNamed) {
  v1::DecayedTotals totals = ToProto(SomeTotals());
  totals.mutable_uniform_positive()->set_count(0, -1);
  ExpectRefused(totals, 2, "count of class 0 is -1");
  totals = ToProto(SomeTotals());
  totals.mutable_uniform_positive()->set_mean(1, NAN);
  ExpectRefused(totals, 2, "mean of class 1 is nan");
  totals = ToProto(SomeTotals());
  totals.mutable_uniform_positive()->set_m2(1, -0.5);
  ExpectRefused(totals, 2, "m2 of class 1 is -0.5");
  totals = ToProto(SomeTotals());
  totals.mutable_uniform_positive()->set_delivered(1, -2);
  ExpectRefused(totals, 2, "delivered of class 1 is -2");
}

TEST(Convert, ImpossibleCompensationIsNamed) {
  v1::Compensation compensation = ToProto(Compensation::Neutral(2));
  compensation.mutable_rebalanced_positive()->set_sigma(0, 0);
  ExpectRefused(compensation, 2, "sigma of class 0 is 0");
  compensation = ToProto(Compensation::Neutral(2));
  compensation.mutable_rebalanced_positive()->set_mu(1, INFINITY);
  ExpectRefused(compensation, 2, "mu of class 1 is inf");
}

}  // namespace
}  // namespace ltml::statistics
