#include "common/metrics/select_classes.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace ltml::metrics {
namespace {

// Adds the first `count` classes by `key`.
template <typename Key>
void AddFirst(std::vector<int> classes, size_t count, const Key& key, std::set<int>& chosen) {
  count = std::min(count, classes.size());
  std::ranges::stable_sort(classes, {}, key);
  chosen.insert(classes.begin(), classes.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace

std::vector<int> SelectClasses(std::span<const int64_t> train_counts,
                               std::span<const std::optional<double>> average_precision,
                               std::optional<size_t> count) {
  if (!count) {
    std::vector<int> all(train_counts.size());
    std::iota(all.begin(), all.end(), 0);
    return all;
  }
  std::vector<int> trained, evaluated;
  for (size_t k = 0; k < train_counts.size(); ++k) {
    if (train_counts[k] > 0) trained.push_back(static_cast<int>(k));
    if (k < average_precision.size() && average_precision[k]) {
      evaluated.push_back(static_cast<int>(k));
    }
  }
  std::set<int> chosen;
  AddFirst(
      std::move(trained), *count, [&](int k) { return train_counts[k]; }, chosen);
  AddFirst(
      std::move(evaluated), *count, [&](int k) { return *average_precision[k]; }, chosen);
  return {chosen.begin(), chosen.end()};
}

}  // namespace ltml::metrics
