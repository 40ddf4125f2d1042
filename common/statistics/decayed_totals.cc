#include <cassert>
#include <cstddef>
#include <cstdint>

#include "common/statistics/statistics.h"

namespace ltml::statistics {
namespace {

constexpr double kStepsPerUnit = 4096;

struct Moments {
  double count = 0, mean = 0, m2 = 0;
};

// The numerator n sum q^2 - (sum q)^2 reaches 2^84: exact only in 128 bits.
Moments MomentsOf(int64_t n, int64_t sum_q, int64_t sum_q2) {
  if (n == 0) return {};
  const auto count = static_cast<double>(n);
  const __int128 spread = static_cast<__int128>(n) * sum_q2 - static_cast<__int128>(sum_q) * sum_q;
  return {count, static_cast<double>(sum_q) / (kStepsPerUnit * count),
          static_cast<double>(spread) / (count * kStepsPerUnit * kStepsPerUnit)};
}

Moments Merged(const Moments& a, const Moments& b) {
  if (b.count == 0) return a;
  if (a.count == 0) return b;
  const double count = a.count + b.count;
  const double delta = b.mean - a.mean;
  return {count, a.mean + delta * b.count / count,
          a.m2 + b.m2 + delta * delta * a.count * b.count / count};
}

void FoldInto(Totals& totals, const IntegerMoments& window, double beta) {
  assert(totals.count.size() == window.n.size());
  for (size_t k = 0; k < totals.count.size(); ++k) {
    const Moments decayed{totals.count[k] * beta, totals.mean[k], totals.m2[k] * beta};
    const Moments merged =
        Merged(decayed, MomentsOf(window.n[k], window.sum_q[k], window.sum_q2[k]));
    totals.count[k] = merged.count;
    totals.mean[k] = merged.mean;
    totals.m2[k] = merged.m2;
    totals.delivered[k] += window.n[k];
  }
}

}  // namespace

DecayedTotals::DecayedTotals(int classes) {
  for (auto& branch : totals_) {
    for (Totals& totals : branch) {
      totals.count.assign(classes, 0);
      totals.mean.assign(classes, 0);
      totals.m2.assign(classes, 0);
      totals.delivered.assign(classes, 0);
    }
  }
}

void DecayedTotals::Fold(const WindowSums& window, double beta) {
  for (const Branch branch : kBranches) {
    for (const Sign sign : kSigns) FoldInto(at(branch, sign), window.at(branch, sign), beta);
  }
}

}  // namespace ltml::statistics
