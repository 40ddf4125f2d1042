#include "common/metrics/threshold_counts.h"

#include <algorithm>
#include <cassert>
#include <functional>

namespace ltml::metrics {
namespace {

// The last threshold that `score` reaches.  In double no float next to i / (T - 1) rounds across
// it.
int LastReached(float score, int thresholds) {
  return static_cast<int>(std::clamp(static_cast<double>(score), 0.0, 1.0) * (thresholds - 1));
}

// From how many scores stop at each threshold to how many reach it.
void SumFromTheEnd(std::vector<int64_t>& counts) {
  for (size_t i = counts.size() - 1; i > 0; --i) counts[i - 1] += counts[i];
}

void AddTo(std::vector<int64_t>& counts, const std::vector<int64_t>& other) {
  assert(counts.size() == other.size());
  std::ranges::transform(counts, other, counts.begin(), std::plus<>());
}

}  // namespace

ThresholdCounts& ThresholdCounts::operator+=(const ThresholdCounts& other) {
  AddTo(true_positives, other.true_positives);
  AddTo(false_positives, other.false_positives);
  positives += other.positives;
  negatives += other.negatives;
  return *this;
}

std::vector<ThresholdCounts> CountAtThresholds(std::span<const float> scores_NK,
                                               std::span<const uint8_t> labels_NK, int classes,
                                               int thresholds) {
  assert(classes >= 1 && thresholds >= 2);
  assert(scores_NK.size() == labels_NK.size());
  assert(scores_NK.size() % static_cast<size_t>(classes) == 0);
  ThresholdCounts none;
  none.true_positives.resize(thresholds);
  none.false_positives.resize(thresholds);
  std::vector<ThresholdCounts> counts(classes, none);
  for (size_t i = 0; i < scores_NK.size();) {
    for (ThresholdCounts& one : counts) {
      auto& of_its_kind = labels_NK[i] != 0 ? one.true_positives : one.false_positives;
      ++of_its_kind[LastReached(scores_NK[i++], thresholds)];
    }
  }
  for (ThresholdCounts& one : counts) {
    SumFromTheEnd(one.true_positives);
    SumFromTheEnd(one.false_positives);
    one.positives = one.true_positives[0];
    one.negatives = one.false_positives[0];
  }
  return counts;
}

}  // namespace ltml::metrics
