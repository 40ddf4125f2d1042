#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ltml::metrics {

// What evenly spaced thresholds i / (T - 1), i = 0 .. T - 1, make of the scores of a class, or of
// several together: a score at or above the threshold counts as a prediction.
struct ThresholdCounts {
  std::vector<int64_t> true_positives, false_positives;  // [T], falling
  int64_t positives = 0, negatives = 0;

  // Adds those of another class, of the same T: pooled (micro-averaged) counts.
  ThresholdCounts& operator+=(const ThresholdCounts& other);
};

// One a class.  scores and labels are [images][K] row-major, of the same size; scores are
// probabilities, others count as 0 or 1; T >= 2.  O(images K + K T).
std::vector<ThresholdCounts> CountAtThresholds(std::span<const float> scores_NK,
                                               std::span<const uint8_t> labels_NK, int classes,
                                               int thresholds);

}  // namespace ltml::metrics
