#pragma once

#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ltml::sampling {

// Pearson's statistic of counts against expected counts, as a standard normal deviate (Wilson and
// Hilferty's cube root).  Large and positive: the counts do not fit.  Cells that are expected to
// stay empty must be empty, or the deviate is infinite.
inline double ChiSquareDeviate(const std::vector<int64_t>& counts,
                               const std::vector<double>& expected) {
  assert(counts.size() == expected.size());
  double statistic = 0;
  double freedom = -1;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (expected[i] <= 0) {
      if (counts[i] != 0) return INFINITY;
      continue;
    }
    const double off = static_cast<double>(counts[i]) - expected[i];
    statistic += off * off / expected[i];
    freedom += 1;
  }
  if (freedom < 1) return 0;
  const double spread = 2.0 / (9.0 * freedom);
  return (std::cbrt(statistic / freedom) - (1 - spread)) / std::sqrt(spread);
}

inline double ChiSquareDeviate(const std::vector<int64_t>& counts) {
  double total = 0;
  for (const int64_t count : counts) total += static_cast<double>(count);
  return ChiSquareDeviate(
      counts, std::vector<double>(counts.size(), total / static_cast<double>(counts.size())));
}

// A deviate beyond this has probability below 1e-8 when the counts do fit (the cube root overstates
// the far tail a little).  Every test has a fixed seed: it passes always or never.
inline constexpr double kDeviateLimit = 6.0;

}  // namespace ltml::sampling
