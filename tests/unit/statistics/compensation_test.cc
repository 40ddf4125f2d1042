#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "common/statistics/statistics.h"

namespace ltml::statistics {
namespace {

constexpr double kTolerance = 1e-12;

// n, mean and variance of every class of one branch and sign.
DecayedTotals TotalsOf(const std::vector<double>& count, const std::vector<double>& mean,
                       const std::vector<double>& variance) {
  DecayedTotals totals(static_cast<int>(count.size()));
  Totals& one = totals.at(kUniform, kPositive);
  one.count = count;
  one.mean = mean;
  for (size_t k = 0; k < count.size(); ++k) one.m2[k] = count[k] * variance[k];
  return totals;
}

WindowSums WindowOf(const std::vector<float>& logits) {
  WindowSums window(1);
  window.Add(kUniform, logits, std::vector<float>(logits.size(), 1.0f));
  return window;
}

// Logits 1, 3: n 2, mean 2, M2 2.  Decayed by 1/2: n 1, M2 1.  Then 4, 4, 4 (n 3, mean 4, M2 0):
// count 4, mean 2 + 2 * 3/4 = 3.5, M2 = 1 + 4 * 1 * 3 / 4 = 4.
TEST(DecayedTotals, ByHand) {
  DecayedTotals totals(1);
  totals.Fold(WindowOf({1, 3}), 0.5);
  const Totals& one = totals.at(kUniform, kPositive);
  EXPECT_EQ(one.count[0], 2);
  EXPECT_EQ(one.mean[0], 2);
  EXPECT_EQ(one.m2[0], 2);
  totals.Fold(WindowOf({4, 4, 4}), 0.5);
  EXPECT_EQ(one.count[0], 4);
  EXPECT_EQ(one.mean[0], 3.5);
  EXPECT_EQ(one.m2[0], 4);
  EXPECT_EQ(one.delivered[0], 5);
}

TEST(DecayedTotals, AnEmptyWindowDecaysAndKeepsTheMean) {
  DecayedTotals totals(1);
  totals.Fold(WindowOf({1, 3}), 0.5);
  totals.Fold(WindowSums(1), 0.5);
  const Totals& one = totals.at(kUniform, kPositive);
  EXPECT_EQ(one.count[0], 1);
  EXPECT_EQ(one.mean[0], 2);
  EXPECT_EQ(one.m2[0], 1);
  EXPECT_EQ(one.delivered[0], 2);
}

// Without decay, windows folded one by one are the moments of all logits together.
TEST(DecayedTotals, WithoutDecayEqualsOneBigWindow) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(3.0f, 2.0f);
  DecayedTotals in_parts(1), at_once(1);
  WindowSums all(1);
  for (int window = 0; window < 20; ++window) {
    std::vector<float> logits(window * 3);
    for (float& logit : logits) logit = normal(random);
    in_parts.Fold(WindowOf(logits), 1.0);
    all.Merge(WindowOf(logits));
  }
  at_once.Fold(all, 1.0);
  const Totals& one = in_parts.at(kUniform, kPositive);
  const Totals& other = at_once.at(kUniform, kPositive);
  EXPECT_EQ(one.count, other.count);
  EXPECT_NEAR(one.mean[0], other.mean[0], 1e-12);
  EXPECT_NEAR(one.m2[0] / other.m2[0], 1, 1e-12);
}

// n = n0: half of the class, half of the prior.  sigma^2 = (10 * 3 + 10) / 20 = 2, mu = 4 / 2.
TEST(Absolute, ByHand) {
  const Compensation got = Compensate(TotalsOf({10}, {4}, {3}), 10, Form::kAbsolute);
  EXPECT_NEAR(got.at(kUniform, kPositive).sigma[0], std::sqrt(2.0), kTolerance);
  EXPECT_NEAR(got.at(kUniform, kPositive).mu[0], 2, kTolerance);
}

TEST(Absolute, SigmaIsClamped) {
  const Compensation got =
      Compensate(TotalsOf({1e9, 1e9}, {0, 0}, {1e4, 1e-6}), 10, Form::kAbsolute);
  EXPECT_EQ(got.at(kUniform, kPositive).sigma, (std::vector<double>{4, 0.25}));
}

// sd 1 and 3: sbar 2; m 0 and 2: mbar 1.  n = n0, so each is half way to (1, 0):
// sigma (1/2 + 1) / 2 = 0.75 and (3/2 + 1) / 2 = 1.25; mu -1/2 and 1/2.  The empty class is
// neutral.
TEST(Relative, ByHand) {
  const Compensation got =
      Compensate(TotalsOf({8, 0, 8}, {0, 9, 2}, {1, 0, 9}), 8, Form::kRelative);
  const ScaleShift& one = got.at(kUniform, kPositive);
  const std::vector<double> sigma = {0.75, 1, 1.25}, mu = {-0.5, 0, 0.5};
  for (int k = 0; k < 3; ++k) {
    EXPECT_NEAR(one.sigma[k], sigma[k], kTolerance);
    EXPECT_NEAR(one.mu[k], mu[k], kTolerance);
  }
}

TEST(Relative, BothAreClamped) {
  const Compensation got =
      Compensate(TotalsOf({1e9, 1e9, 1e9}, {-30, 0, 30}, {0.01, 1, 100}), 1, Form::kRelative);
  const ScaleShift& one = got.at(kUniform, kPositive);
  EXPECT_EQ(one.sigma[0], 0.5);
  EXPECT_EQ(one.sigma[2], 2);
  EXPECT_EQ(one.mu[0], -2);
  EXPECT_EQ(one.mu[2], 2);
}

TEST(Relative, EqualLogitsDoNotDivideByZero) {
  const Compensation got = Compensate(TotalsOf({5, 5}, {2, 2}, {0, 0}), 5, Form::kRelative);
  const ScaleShift& one = got.at(kUniform, kPositive);
  EXPECT_EQ(one.sigma, (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(one.mu, (std::vector<double>{0, 0}));
}

TEST(Compensate, NothingSeenIsNeutralWithAndWithoutPrior) {
  for (const Form form : {Form::kRelative, Form::kAbsolute}) {
    for (const double prior : {0.0, 50.0}) {
      EXPECT_EQ(Compensate(DecayedTotals(3), prior, form), Compensation::Neutral(3));
    }
  }
}

// Rows of 4 classes: {0, 1}, {1}, {}.  Class 0: one row of two labels, mean 2/4; without it two
// rows of one label in 8 entries.  Class 1: 3 labels in 8; without it 0 in 4, so sigma is at its
// least. Class 2 has no row: neutral; without it all three rows, 3 in 12.
TEST(FromLabels, ByHand) {
  const Compensation got = CompensateFromLabels({{0, 1}, {1}, {}}, 4);
  const auto spread = [](double mean) { return std::sqrt(mean * (1 - mean)); };
  const ScaleShift& positive = got.at(kUniform, kPositive);
  const ScaleShift& negative = got.at(kUniform, kNegative);
  EXPECT_EQ(positive.mu, (std::vector<double>{0.5, 0.375, 0, 0}));
  EXPECT_EQ(negative.mu, (std::vector<double>{0.125, 0, 0.25, 0.25}));
  EXPECT_NEAR(positive.sigma[0], spread(0.5), kTolerance);
  EXPECT_NEAR(positive.sigma[1], spread(0.375), kTolerance);
  EXPECT_EQ(positive.sigma[2], 1);
  EXPECT_NEAR(negative.sigma[0], spread(0.125), kTolerance);
  EXPECT_EQ(negative.sigma[1], 1e-3);
  EXPECT_NEAR(negative.sigma[2], spread(0.25), kTolerance);
  EXPECT_EQ(got.at(kRebalanced, kPositive), positive);
  EXPECT_EQ(got.at(kRebalanced, kNegative), negative);
}

// The same from the definition: every entry of every row.
TEST(FromLabels, EqualsBruteForce) {
  constexpr int kClasses = 7;
  std::mt19937 random(2);
  std::vector<std::vector<int32_t>> rows(60);
  for (auto& row : rows) {
    for (int32_t k = 0; k < kClasses; ++k) {
      if (random() % (k + 2) == 0) row.push_back(k);
    }
  }
  const Compensation got = CompensateFromLabels(rows, kClasses);
  for (int k = 0; k < kClasses; ++k) {
    for (const Sign sign : kSigns) {
      std::vector<double> entries;
      for (const auto& row : rows) {
        std::vector<double> dense(kClasses);
        for (const int32_t label : row) dense[label] = 1;
        if ((dense[k] == 1) != (sign == kPositive)) continue;
        entries.insert(entries.end(), dense.begin(), dense.end());
      }
      double mean = 0, variance = 0;
      for (const double entry : entries) mean += entry / static_cast<double>(entries.size());
      for (const double entry : entries) {
        variance += (entry - mean) * (entry - mean) / static_cast<double>(entries.size());
      }
      EXPECT_NEAR(got.at(kUniform, sign).mu[k], mean, kTolerance);
      EXPECT_NEAR(got.at(kUniform, sign).sigma[k], std::sqrt(variance), kTolerance);
    }
  }
}

}  // namespace
}  // namespace ltml::statistics
