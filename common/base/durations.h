#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace ltml::base {

// How many durations fell at or below each bound, as histograms of metrics want it.  Not
// thread-safe.
class Durations {
 public:
  // Ascending, in seconds.
  explicit Durations(std::vector<double> bounds)
      : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

  // `times` durations of so many seconds each.
  void Add(double seconds, int64_t times = 1) {
    counts_[std::ranges::lower_bound(bounds_, seconds) - bounds_.begin()] += times;
    sum_ += seconds * static_cast<double>(times);
  }

  const std::vector<double>& bounds() const { return bounds_; }
  // One more than bounds: the last counts what is above all of them.  Not cumulative.
  const std::vector<int64_t>& counts() const { return counts_; }
  double sum_seconds() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<int64_t> counts_;
  double sum_ = 0;
};

}  // namespace ltml::base
