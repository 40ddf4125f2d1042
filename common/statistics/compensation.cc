#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "common/statistics/statistics.h"

namespace ltml::statistics {
namespace {

constexpr double kLeastSpread = 1e-3;

double SpreadOf(const Totals& totals, size_t k) {
  return std::sqrt(totals.m2[k] / totals.count[k]);
}

ScaleShift NeutralScaleShift(size_t classes) {
  return {std::vector<double>(classes, 1.0), std::vector<double>(classes, 0.0)};
}

// Classes that were never seen keep sigma 1 and mu 0, also without a prior.
ScaleShift Absolute(const Totals& totals, double prior) {
  ScaleShift result = NeutralScaleShift(totals.count.size());
  for (size_t k = 0; k < totals.count.size(); ++k) {
    const double n = totals.count[k];
    if (n <= 0) continue;
    result.sigma[k] = std::clamp(std::sqrt((totals.m2[k] + prior) / (n + prior)), 0.25, 4.0);
    result.mu[k] = n * totals.mean[k] / (n + prior);
  }
  return result;
}

struct Common {
  double mean = 0, spread = 0;
};

Common CommonOf(const Totals& totals) {
  Common common;
  int seen = 0;
  for (size_t k = 0; k < totals.count.size(); ++k) {
    if (totals.count[k] <= 0) continue;
    common.mean += totals.mean[k];
    common.spread += SpreadOf(totals, k);
    ++seen;
  }
  if (seen == 0) return common;
  return {common.mean / seen, std::max(common.spread / seen, kLeastSpread)};
}

ScaleShift Relative(const Totals& totals, double prior) {
  const Common common = CommonOf(totals);
  ScaleShift result = NeutralScaleShift(totals.count.size());
  for (size_t k = 0; k < totals.count.size(); ++k) {
    const double n = totals.count[k];
    if (n <= 0) continue;
    const double spread = SpreadOf(totals, k) / common.spread;
    result.sigma[k] = std::clamp((n * spread + prior) / (n + prior), 0.5, 2.0);
    result.mu[k] = std::clamp(n * (totals.mean[k] - common.mean) / (n + prior), -2.0, 2.0);
  }
  return result;
}

// Of the rows that have (lack) a class: how many there are and how many labels they carry.
struct LabelMix {
  std::vector<int64_t> rows, labels;
  explicit LabelMix(int classes) : rows(classes), labels(classes) {}
};

ScaleShift ScaleShiftOf(const LabelMix& mix) {
  const size_t classes = mix.rows.size();
  ScaleShift result = NeutralScaleShift(classes);
  for (size_t k = 0; k < classes; ++k) {
    if (mix.rows[k] == 0) continue;
    const double entries = static_cast<double>(mix.rows[k]) * static_cast<double>(classes);
    const double mean = static_cast<double>(mix.labels[k]) / entries;
    result.mu[k] = mean;
    result.sigma[k] = std::max(std::sqrt(mean * (1 - mean)), kLeastSpread);
  }
  return result;
}

}  // namespace

Compensation Compensation::Neutral(int classes) {
  Compensation compensation;
  for (auto& branch : compensation.branch_sign) branch.fill(NeutralScaleShift(classes));
  return compensation;
}

Compensation Compensate(const DecayedTotals& totals, double prior, Form form) {
  Compensation compensation;
  for (const Branch branch : kBranches) {
    for (const Sign sign : kSigns) {
      const Totals& one = totals.at(branch, sign);
      compensation.at(branch, sign) =
          form == Form::kRelative ? Relative(one, prior) : Absolute(one, prior);
    }
  }
  return compensation;
}

Compensation CompensateFromLabels(const std::vector<std::vector<int32_t>>& label_rows,
                                  int classes) {
  LabelMix with(classes), without(classes);
  int64_t labels = 0;
  for (const auto& row : label_rows) {
    labels += static_cast<int64_t>(row.size());
    for (const int32_t k : row) {
      assert(k >= 0 && k < classes);
      ++with.rows[k];
      with.labels[k] += static_cast<int64_t>(row.size());
    }
  }
  for (int k = 0; k < classes; ++k) {
    without.rows[k] = static_cast<int64_t>(label_rows.size()) - with.rows[k];
    without.labels[k] = labels - with.labels[k];
  }
  Compensation compensation;
  const std::array<ScaleShift, 2> signs = {ScaleShiftOf(with), ScaleShiftOf(without)};
  compensation.branch_sign = {signs, signs};
  return compensation;
}

}  // namespace ltml::statistics
