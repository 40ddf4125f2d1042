#include "common/metrics/average_precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace ltml::metrics {
namespace {

template <typename Score>
struct Scored {
  Score score;
  bool positive;
};

template <typename Score>
absl::StatusOr<std::vector<Scored<Score>>> Paired(std::span<const Score> scores,
                                                  std::span<const uint8_t> labels) {
  if (scores.size() != labels.size()) {
    return absl::InvalidArgumentError(
        fmt::format("average precision: {} scores but {} labels, expected as many", scores.size(),
                    labels.size()));
  }
  std::vector<Scored<Score>> pairs(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) {
      return absl::InvalidArgumentError(
          fmt::format("average precision: the score at index {} is NaN", i));
    }
    pairs[i] = {scores[i], labels[i] != 0};
  }
  return pairs;
}

// Sorted by falling score.  Each group of equal scores adds (recall gained) x precision.
template <typename Score>
double StepwiseSum(const std::vector<Scored<Score>>& ranked, int64_t positives) {
  double sum = 0;
  int64_t found = 0;
  for (size_t begin = 0, end = 0; begin < ranked.size(); begin = end) {
    int64_t gained = 0;
    for (; end < ranked.size() && ranked[end].score == ranked[begin].score; ++end) {
      gained += ranked[end].positive ? 1 : 0;
    }
    found += gained;
    sum += static_cast<double>(gained) / static_cast<double>(positives) *
           (static_cast<double>(found) / static_cast<double>(end));
  }
  return sum;
}

template <typename Score>
absl::StatusOr<std::optional<double>> Compute(std::span<const Score> scores,
                                              std::span<const uint8_t> labels) {
  auto pairs = Paired(scores, labels);
  if (!pairs.ok()) return pairs.status();
  const auto positives =
      std::count_if(pairs->begin(), pairs->end(), [](const auto& pair) { return pair.positive; });
  if (positives == 0) return std::optional<double>();
  std::sort(pairs->begin(), pairs->end(),
            [](const auto& a, const auto& b) { return a.score > b.score; });
  return std::optional<double>(StepwiseSum(*pairs, positives));
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

absl::Status CheckShapes(size_t scores, size_t labels, int classes, size_t train_counts) {
  if (classes < 1 || scores != labels || scores % static_cast<size_t>(classes) != 0) {
    return absl::InvalidArgumentError(
        fmt::format("evaluation: {} scores and {} labels for {} classes, expected images x classes "
                    "of both",
                    scores, labels, classes));
  }
  if (train_counts != static_cast<size_t>(classes)) {
    return absl::InvalidArgumentError(
        fmt::format("evaluation: {} training counts for {} classes, expected one a class",
                    train_counts, classes));
  }
  return absl::OkStatus();
}

// NaN scores are looked for over the whole matrix, so that the error can name image and class.
absl::Status CheckScores(std::span<const float> scores_NK, int classes) {
  for (size_t i = 0; i < scores_NK.size(); ++i) {
    if (std::isnan(scores_NK[i])) {
      return absl::InvalidArgumentError(
          fmt::format("evaluation: the score at index {} (image {}, class {}) is NaN", i,
                      i / static_cast<size_t>(classes), i % static_cast<size_t>(classes)));
    }
  }
  return absl::OkStatus();
}

template <typename T>
std::vector<T> Column(std::span<const T> matrix_NK, int classes, int k) {
  std::vector<T> column(matrix_NK.size() / static_cast<size_t>(classes));
  for (size_t i = 0; i < column.size(); ++i) column[i] = matrix_NK[i * classes + k];
  return column;
}

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

absl::StatusOr<Evaluation> Evaluate(std::span<const float> scores_NK,
                                    std::span<const uint8_t> labels_NK, int classes,
                                    std::span<const int64_t> train_counts) {
  const absl::Status shapes =
      CheckShapes(scores_NK.size(), labels_NK.size(), classes, train_counts.size());
  if (!shapes.ok()) return shapes;
  const absl::Status scores = CheckScores(scores_NK, classes);
  if (!scores.ok()) return scores;
  Evaluation evaluation;
  std::vector<std::optional<double>> chance;
  for (int k = 0; k < classes; ++k) {
    const std::vector<uint8_t> labels = Column(labels_NK, classes, k);
    auto precision = AveragePrecision(Column(scores_NK, classes, k), labels);
    if (!precision.ok()) return precision.status();
    const auto positives = static_cast<int64_t>(
        std::count_if(labels.begin(), labels.end(), [](uint8_t label) { return label != 0; }));
    evaluation.average_precision.push_back(*precision);
    evaluation.positives.push_back(positives);
    chance.push_back(positives == 0
                         ? std::optional<double>()
                         : static_cast<double>(positives) / static_cast<double>(labels.size()));
  }
  evaluation.mean = MeanAveragePrecision(evaluation.average_precision, train_counts);
  evaluation.chance = MeanAveragePrecision(chance, train_counts);
  return evaluation;
}

}  // namespace ltml::metrics
