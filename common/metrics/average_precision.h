#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ltml::metrics {

// Average precision exactly as scikit-learn's average_precision_score: the step-wise sum over
// distinct scores of (recall gained) x precision; equal scores (0.0 and -0.0 too) form one group.
// nullopt when no label is positive.  InvalidArgument for a NaN score (its index is named) or sizes
// that differ.  O(n).
absl::StatusOr<std::optional<double>> AveragePrecision(std::span<const float> scores,
                                                       std::span<const uint8_t> labels);
absl::StatusOr<std::optional<double>> AveragePrecision(std::span<const double> scores,
                                                       std::span<const uint8_t> labels);

// By training images: head N_k >= 100, medium 20 <= N_k < 100, tail N_k < 20.
enum class Group { kHead, kMedium, kTail };
Group GroupOf(int64_t train_count);
std::string_view GroupName(Group group);

struct GroupMeans {
  std::optional<double> total, head, medium, tail;
};

// Means over the classes that have an average precision, in class order.
GroupMeans MeanAveragePrecision(std::span<const std::optional<double>> average_precision,
                                std::span<const int64_t> train_counts);

// Everything about one evaluated set.  scores and labels are [images][K] row-major.
struct Evaluation {
  std::vector<std::optional<double>> average_precision;  // [K]
  std::vector<int64_t> positives;                        // [K]
  GroupMeans mean;
  // Expected mAP of a constant score: share of positives of each class, averaged the same way.
  GroupMeans chance;
};
// On up to `threads` threads, to the same bits for any number; each holds the scores of 32 classes.
// InvalidArgument for sizes that differ and for a NaN score (image and class of the first are
// named).
absl::StatusOr<Evaluation> Evaluate(std::span<const float> scores_NK,
                                    std::span<const uint8_t> labels_NK, int classes,
                                    std::span<const int64_t> train_counts, int threads = 1);

}  // namespace ltml::metrics
