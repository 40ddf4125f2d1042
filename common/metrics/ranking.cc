#include "common/metrics/ranking.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <limits>
#include <utility>

namespace ltml::metrics {
namespace {

constexpr int kDigitBits = 11;
constexpr size_t kDigitValues = size_t{1} << kDigitBits;
// Below, counting digits costs more than comparing keys.
constexpr size_t kFewKeys = 1024;

template <typename Key>
constexpr int kDigits = (8 * static_cast<int>(sizeof(Key)) + kDigitBits - 1) / kDigitBits;

template <typename Key>
size_t DigitOf(Key key, int digit) {
  return static_cast<size_t>(key >> (digit * kDigitBits)) & (kDigitValues - 1);
}

template <typename Key>
using DigitCounts = std::array<std::array<uint32_t, kDigitValues>, kDigits<Key>>;

template <typename Key>
DigitCounts<Key> CountDigits(std::span<const Key> keys) {
  DigitCounts<Key> counts = {};
  for (const Key key : keys) {
    for (int digit = 0; digit < kDigits<Key>; ++digit) ++counts[digit][DigitOf(key, digit)];
  }
  return counts;
}

// Stable move of all keys to where their digit belongs.  `counts` become places.
template <typename Key>
void Scatter(std::span<const Key> from, int digit, std::array<uint32_t, kDigitValues>& counts,
             std::span<Key> to) {
  uint32_t place = 0;
  for (uint32_t& count : counts) place += std::exchange(count, place);
  for (const Key key : from) to[counts[DigitOf(key, digit)]++] = key;
}

// Ascending, least digit first.  A digit that all keys share is left out.
template <typename Key>
void Sort(std::span<Key> keys, std::span<Key> scratch) {
  if (keys.size() < kFewKeys) return std::sort(keys.begin(), keys.end());
  assert(scratch.size() >= keys.size() && keys.size() <= std::numeric_limits<uint32_t>::max());
  DigitCounts<Key> counts = CountDigits<Key>(keys);
  std::span<Key> from = keys, to = scratch.first(keys.size());
  for (int digit = 0; digit < kDigits<Key>; ++digit) {
    if (counts[digit][DigitOf(from.front(), digit)] == keys.size()) continue;
    Scatter<Key>(from, digit, counts[digit], to);
    std::swap(from, to);
  }
  if (from.data() != keys.data()) std::copy(from.begin(), from.end(), keys.begin());
}

// Keys ascend.  A group of equal scores without a positive adds nothing and is passed over.
template <typename Key>
double StepwiseSum(std::span<const Key> positives, std::span<const Key> negatives) {
  const auto all = static_cast<double>(positives.size());
  double sum = 0;
  size_t better_negatives = 0;
  for (size_t found = 0; found < positives.size();) {
    const size_t before = found;
    const Key key = positives[positives.size() - 1 - found];
    while (found < positives.size() && positives[positives.size() - 1 - found] == key) ++found;
    while (better_negatives < negatives.size() &&
           negatives[negatives.size() - 1 - better_negatives] >= key) {
      ++better_negatives;
    }
    sum += static_cast<double>(found - before) / all *
           (static_cast<double>(found) / static_cast<double>(found + better_negatives));
  }
  return sum;
}

}  // namespace

template <typename Key>
double RankedPrecision(const Partition<Key>& partition, std::span<Key> scratch) {
  Sort(partition.positives(), scratch);
  Sort(partition.negatives(), scratch);
  return StepwiseSum<Key>(partition.positives(), partition.negatives());
}

template double RankedPrecision(const Partition<uint32_t>& partition, std::span<uint32_t> scratch);
template double RankedPrecision(const Partition<uint64_t>& partition, std::span<uint64_t> scratch);

}  // namespace ltml::metrics
