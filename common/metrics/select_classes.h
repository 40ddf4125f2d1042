#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ltml::metrics {

// Classes that stand for all of a long tail, or all of them without a `count`: the `count` rarest
// of those that have training images, and the `count` weakest of those that have an average
// precision; ascending, each once.  Ties go to the class that comes first.  `average_precision` may
// be empty (none is known).  O(K log K).
std::vector<int> SelectClasses(std::span<const int64_t> train_counts,
                               std::span<const std::optional<double>> average_precision,
                               std::optional<size_t> count);

}  // namespace ltml::metrics
