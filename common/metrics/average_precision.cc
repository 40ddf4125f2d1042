#include "common/metrics/average_precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "common/metrics/ranking.h"

namespace ltml::metrics {
namespace {

template <typename Score>
absl::StatusOr<std::optional<double>> Compute(std::span<const Score> scores,
                                              std::span<const uint8_t> labels) {
  if (scores.size() != labels.size()) {
    return absl::InvalidArgumentError(
        fmt::format("average precision: {} scores but {} labels, expected as many", scores.size(),
                    labels.size()));
  }
  using Key = decltype(KeyOf(Score()));
  std::vector<Key> keys(scores.size()), scratch(scores.size());
  Partition<Key> partition{std::span(keys)};
  for (size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) {
      return absl::InvalidArgumentError(
          fmt::format("average precision: the score at index {} is NaN", i));
    }
    partition.Add(KeyOf(scores[i]), labels[i] != 0);
  }
  if (partition.positives().empty()) return std::optional<double>();
  return std::optional<double>(RankedPrecision(partition, std::span(scratch)));
}

struct Mean {
  double sum = 0;
  int64_t counted = 0;
  void Add(double value) {
    sum += value;
    ++counted;
  }
  std::optional<double> value() const {
    if (counted == 0) return std::nullopt;
    return sum / static_cast<double>(counted);
  }
};

}  // namespace

absl::StatusOr<std::optional<double>> AveragePrecision(std::span<const float> scores,
                                                       std::span<const uint8_t> labels) {
  return Compute(scores, labels);
}

absl::StatusOr<std::optional<double>> AveragePrecision(std::span<const double> scores,
                                                       std::span<const uint8_t> labels) {
  return Compute(scores, labels);
}

Group GroupOf(int64_t train_count) {
  if (train_count >= 100) return Group::kHead;
  return train_count >= 20 ? Group::kMedium : Group::kTail;
}

std::string_view GroupName(Group group) {
  switch (group) {
    case Group::kHead:
      return "head";
    case Group::kMedium:
      return "medium";
    case Group::kTail:
      return "tail";
  }
  return "unknown";
}

GroupMeans MeanAveragePrecision(std::span<const std::optional<double>> average_precision,
                                std::span<const int64_t> train_counts) {
  Mean total, groups[3];
  const size_t classes = std::min(average_precision.size(), train_counts.size());
  for (size_t k = 0; k < classes; ++k) {
    if (!average_precision[k].has_value()) continue;
    total.Add(*average_precision[k]);
    groups[static_cast<int>(GroupOf(train_counts[k]))].Add(*average_precision[k]);
  }
  return {total.value(), groups[0].value(), groups[1].value(), groups[2].value()};
}

}  // namespace ltml::metrics
