#include "coordinator/service/live_job.h"

#include <algorithm>

namespace ltml::service {

Durations Durations::OfSteps() {
  return Durations({0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100});
}

void Durations::Add(double seconds, int64_t times) {
  const auto bound = std::ranges::lower_bound(bounds_, seconds);
  counts_[bound - bounds_.begin()] += times;
  sum_ += seconds * static_cast<double>(times);
}

}  // namespace ltml::service
