#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "common/statistics/statistics.h"

namespace ltml::statistics {
namespace {

constexpr int kClasses = 5;
constexpr int kImages = 101;

struct Rows {
  std::vector<float> logits_BK, labels_BK;
};

Rows RandomRows(uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 40.0f);
  Rows rows;
  for (int i = 0; i < kImages * kClasses; ++i) {
    rows.logits_BK.push_back(normal(random) * (i % 17 == 0 ? 20.0f : 1.0f));
    rows.labels_BK.push_back(random() % 4 == 0 ? 1.0f : 0.0f);
  }
  return rows;
}

// The definition, one element after the other, with the library's rounding.
WindowSums BruteForce(const Rows& rows, Branch branch) {
  WindowSums sums(kClasses);
  for (size_t i = 0; i < rows.logits_BK.size(); ++i) {
    const double clamped = std::clamp(static_cast<double>(rows.logits_BK[i]), -512.0, 512.0);
    const auto q = static_cast<int64_t>(std::nearbyint(4096 * clamped));
    IntegerMoments& moments = sums.at(branch, rows.labels_BK[i] == 1.0f ? kPositive : kNegative);
    moments.n[i % kClasses] += 1;
    moments.sum_q[i % kClasses] += q;
    moments.sum_q2[i % kClasses] += q * q;
  }
  return sums;
}

int64_t QuantisedOf(double logit) {
  WindowSums sums(1);
  sums.Add(kUniform, std::vector<double>{logit}, std::vector<double>{1.0});
  return sums.at(kUniform, kPositive).sum_q[0];
}

TEST(WindowSums, RoundsTiesToEvenAndClamps) {
  EXPECT_EQ(QuantisedOf(0.5 / 4096), 0);
  EXPECT_EQ(QuantisedOf(1.5 / 4096), 2);
  EXPECT_EQ(QuantisedOf(2.5 / 4096), 2);
  EXPECT_EQ(QuantisedOf(-0.5 / 4096), 0);
  EXPECT_EQ(QuantisedOf(-1.5 / 4096), -2);
  EXPECT_EQ(QuantisedOf(0.49 / 4096), 0);
  EXPECT_EQ(QuantisedOf(0.51 / 4096), 1);
  EXPECT_EQ(QuantisedOf(512), 4096 * 512);
  EXPECT_EQ(QuantisedOf(1e30), 4096 * 512);
  EXPECT_EQ(QuantisedOf(-std::numeric_limits<double>::infinity()), -4096 * 512);
}

TEST(WindowSums, RoundingEqualsNearbyintEverywhere) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(-520, 520);
  for (int i = 0; i < 200'000; ++i) {
    double logit = uniform(random);
    if (i % 2 == 0) logit = (std::floor(logit * 4096) + 0.5) / 4096;
    const auto expected =
        static_cast<int64_t>(std::nearbyint(4096 * std::clamp(logit, -512.0, 512.0)));
    ASSERT_EQ(QuantisedOf(logit), expected) << logit;
  }
}

TEST(WindowSums, EqualsBruteForce) {
  for (const Branch branch : kBranches) {
    const Rows rows = RandomRows(3);
    WindowSums sums(kClasses);
    sums.Add(branch, rows.logits_BK, rows.labels_BK);
    EXPECT_EQ(sums, BruteForce(rows, branch));
  }
}

TEST(WindowSums, FloatAndDoubleLogitsGiveTheSameSums) {
  const Rows rows = RandomRows(4);
  const std::vector<double> logits(rows.logits_BK.begin(), rows.logits_BK.end());
  const std::vector<double> labels(rows.labels_BK.begin(), rows.labels_BK.end());
  WindowSums from_float(kClasses), from_double(kClasses);
  from_float.Add(kUniform, rows.logits_BK, rows.labels_BK);
  from_double.Add(kUniform, logits, labels);
  EXPECT_EQ(from_float, from_double);
}

// Images go to ranks at random, each rank adds them in calls of random sizes, and the ranks' sums
// are merged in random order: always the same numbers.
TEST(WindowSums, AnySplitIntoRanksInAnyOrderIsTheSame) {
  const Rows rows = RandomRows(5);
  const WindowSums expected = BruteForce(rows, kRebalanced);
  std::mt19937 random(6);
  for (int ranks = 1; ranks <= 8; ++ranks) {
    std::vector<int> images(kImages);
    std::iota(images.begin(), images.end(), 0);
    std::shuffle(images.begin(), images.end(), random);
    std::vector<WindowSums> sums(ranks, WindowSums(kClasses));
    for (int at = 0; at < kImages;) {
      const int count = std::min<int>(kImages - at, random() % 7);
      Rows part;
      for (int i = at; i < at + count; ++i) {
        const auto first = static_cast<ptrdiff_t>(images[i]) * kClasses;
        part.logits_BK.insert(part.logits_BK.end(), rows.logits_BK.begin() + first,
                              rows.logits_BK.begin() + first + kClasses);
        part.labels_BK.insert(part.labels_BK.end(), rows.labels_BK.begin() + first,
                              rows.labels_BK.begin() + first + kClasses);
      }
      sums[random() % ranks].Add(kRebalanced, part.logits_BK, part.labels_BK);
      at += count;
    }
    std::shuffle(sums.begin(), sums.end(), random);
    WindowSums all(kClasses);
    for (const WindowSums& one : sums) all.Merge(one);
    EXPECT_EQ(all, expected) << ranks << " ranks";
  }
}

TEST(WindowSums, FlattenedSumsAddUpLikeMergedOnes) {
  WindowSums one = BruteForce(RandomRows(7), kUniform);
  const WindowSums other = BruteForce(RandomRows(8), kRebalanced);
  std::vector<int64_t> flat = one.Flatten();
  EXPECT_EQ(flat.size(), 12u * kClasses);
  EXPECT_EQ(WindowSums::FromFlat(flat, kClasses), one);
  const std::vector<int64_t> more = other.Flatten();
  for (size_t i = 0; i < flat.size(); ++i) flat[i] += more[i];
  one.Merge(other);
  EXPECT_EQ(WindowSums::FromFlat(flat, kClasses), one);
}

TEST(WindowSums, ClearedAndEmptySums) {
  WindowSums sums = BruteForce(RandomRows(9), kUniform);
  sums.Clear();
  EXPECT_EQ(sums, WindowSums(kClasses));
  EXPECT_EQ(sums.classes(), kClasses);
  EXPECT_EQ(WindowSums().classes(), 0);
  EXPECT_TRUE(WindowSums().Flatten().empty());
  EXPECT_EQ(WindowSums::FromFlat({}, 0), WindowSums());
}

// The fullest window that is allowed: 2^21 - 1 logits at the clamp do not overflow.
TEST(WindowSums, TheFullestWindowFits) {
  WindowSums sums(1);
  const std::vector<float> logits(8191, -512.0f), labels(8191, 0.0f);
  for (int i = 0; i < 256; ++i) sums.Add(kUniform, logits, labels);
  sums.Add(kUniform, std::span(logits).first(255), std::span(labels).first(255));
  const IntegerMoments& moments = sums.at(kUniform, kNegative);
  EXPECT_EQ(moments.n[0], kWindowImages - 1);
  EXPECT_EQ(moments.sum_q2[0], (kWindowImages - 1) * (int64_t{1} << 42));
  DecayedTotals totals(1);
  totals.Fold(sums, 0.9);
  EXPECT_EQ(totals.at(kUniform, kNegative).mean[0], -512.0);
  EXPECT_EQ(totals.at(kUniform, kNegative).m2[0], 0.0);
}

TEST(CheckWindow, RefusesWhatCouldOverflow) {
  EXPECT_TRUE(CheckWindow(20, 32).ok());
  EXPECT_TRUE(CheckWindow((1 << 21) - 1, 1).ok());
  EXPECT_FALSE(CheckWindow(1 << 21, 1).ok());
  EXPECT_TRUE(CheckWindow(65'535, 32).ok());
  EXPECT_FALSE(CheckWindow(65'536, 32).ok());
  EXPECT_FALSE(CheckWindow(int64_t{1} << 62, int64_t{1} << 62).ok());
  EXPECT_FALSE(CheckWindow(0, 32).ok());
  EXPECT_FALSE(CheckWindow(20, -1).ok());
  EXPECT_NE(std::string(CheckWindow(65'536, 32).message()).find("at most 65535 steps"),
            std::string::npos);
}

}  // namespace
}  // namespace ltml::statistics
