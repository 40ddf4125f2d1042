#include "common/metrics/threshold_counts.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace ltml::metrics {
namespace {

using testing::ElementsAre;

// Thresholds 0, 1/2, 1.
TEST(ThresholdCounts, AScoreAtTheThresholdCounts) {
  const auto counts = CountAtThresholds(std::vector<float>{0.5f, 0.49f, 1.0f, 0.0f},
                                        std::vector<uint8_t>{1, 1, 0, 0}, 1, 3);
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_THAT(counts[0].true_positives, ElementsAre(2, 1, 0));
  EXPECT_THAT(counts[0].false_positives, ElementsAre(2, 1, 1));
  EXPECT_EQ(counts[0].positives, 2);
  EXPECT_EQ(counts[0].negatives, 2);
}

TEST(ThresholdCounts, ScoresOutsideZeroToOneCountAsItsEnds) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto counts = CountAtThresholds(std::vector<float>{-infinity, -0.1f, 1.5f, infinity},
                                        std::vector<uint8_t>{1, 1, 1, 1}, 1, 2);
  EXPECT_THAT(counts[0].true_positives, ElementsAre(4, 2));
}

// Every float next to a threshold, where a product in float would round across it.
TEST(ThresholdCounts, AgreeWithComparingEachScore) {
  constexpr int kThresholds = 101, kClasses = 3;
  std::mt19937 random(1);
  std::vector<float> scores;
  for (int i = 0; i < kThresholds; ++i) {
    const auto near = static_cast<float>(i / 100.0);
    for (const float to : {-1.0f, 2.0f}) scores.push_back(std::nextafter(near, to));
    scores.push_back(near);
  }
  std::shuffle(scores.begin(), scores.end(), random);
  std::vector<uint8_t> labels;
  for (size_t i = 0; i < scores.size(); ++i) labels.push_back(random() % 2);
  const auto counts = CountAtThresholds(scores, labels, kClasses, kThresholds);
  for (int i = 0; i < kThresholds; ++i) {
    int64_t reached = 0;
    for (size_t n = 1; n < scores.size(); n += kClasses) {
      reached += labels[n] != 0 && (i == 0 || scores[n] >= i / 100.0) ? 1 : 0;
    }
    EXPECT_EQ(counts[1].true_positives[i], reached) << "threshold " << i;
  }
}

TEST(ThresholdCounts, PooledCountsAreSums) {
  auto counts = CountAtThresholds(std::vector<float>{0.9f, 0.1f, 0.6f, 0.7f},
                                  std::vector<uint8_t>{1, 0, 0, 1}, 2, 3);
  counts[0] += counts[1];
  EXPECT_THAT(counts[0].true_positives, ElementsAre(2, 2, 0));
  EXPECT_THAT(counts[0].false_positives, ElementsAre(2, 1, 0));
  EXPECT_EQ(counts[0].positives, 2);
  EXPECT_EQ(counts[0].negatives, 2);
}

}  // namespace
}  // namespace ltml::metrics
