#include "common/statistics/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstddef>

namespace ltml::statistics {
namespace {

constexpr double kStepsPerUnit = 4096;
constexpr double kLogitLimit = 512;
constexpr int kArrays = 3;  // n, sum q, sum q^2

// Adding 1.5 * 2^52 leaves no fraction bits: the sum is rounded to a whole number, ties to even,
// which stands in the low bits.  A call of nearbyint() per logit would be slower and not vectorise.
int64_t Quantise(double logit) {
  constexpr double kNoFraction = 6755399441055744.0;
  const double clamped = std::min(kLogitLimit, std::max(-kLogitLimit, logit));
  const double rounded = clamped * kStepsPerUnit + kNoFraction;
  return std::bit_cast<int64_t>(rounded) - std::bit_cast<int64_t>(kNoFraction);
}

// One row of K logits.  Plain pointers that do not overlap, so that the loop vectorises.
struct RowSums {
  int64_t* __restrict n;
  int64_t* __restrict sum_q;
  int64_t* __restrict sum_q2;
  explicit RowSums(IntegerMoments& moments)
      : n(moments.n.data()), sum_q(moments.sum_q.data()), sum_q2(moments.sum_q2.data()) {}
};

template <typename Real>
void AddRow(const Real* __restrict logits, const Real* __restrict labels, int classes,
            RowSums positive, RowSums negative) {
  for (int k = 0; k < classes; ++k) {
    const int64_t q = Quantise(logits[k]);
    const int64_t q2 = q * q;
    const int64_t mask = -static_cast<int64_t>(labels[k] != 0);
    positive.n[k] -= mask;
    positive.sum_q[k] += q & mask;
    positive.sum_q2[k] += q2 & mask;
    negative.n[k] += 1 + mask;
    negative.sum_q[k] += q & ~mask;
    negative.sum_q2[k] += q2 & ~mask;
  }
}

template <typename Real>
void AddRows(std::span<const Real> logits_BK, std::span<const Real> labels_BK, int classes,
             IntegerMoments& positive, IntegerMoments& negative) {
  assert(logits_BK.size() == labels_BK.size());
  assert(classes == 0 ? logits_BK.empty() : logits_BK.size() % classes == 0);
  for (size_t at = 0; at < logits_BK.size(); at += classes) {
    AddRow(&logits_BK[at], &labels_BK[at], classes, RowSums(positive), RowSums(negative));
  }
}

void AddTo(std::vector<int64_t>& sum, const std::vector<int64_t>& more) {
  assert(sum.size() == more.size());
  for (size_t k = 0; k < sum.size(); ++k) sum[k] += more[k];
}

}  // namespace

WindowSums::WindowSums(int classes) {
  for (auto& branch : moments_) {
    for (IntegerMoments& moments : branch) {
      moments.n.assign(classes, 0);
      moments.sum_q.assign(classes, 0);
      moments.sum_q2.assign(classes, 0);
    }
  }
}

void WindowSums::Add(Branch branch, std::span<const float> logits_BK,
                     std::span<const float> labels_BK) {
  AddRows(logits_BK, labels_BK, classes(), at(branch, kPositive), at(branch, kNegative));
}

void WindowSums::Add(Branch branch, std::span<const double> logits_BK,
                     std::span<const double> labels_BK) {
  AddRows(logits_BK, labels_BK, classes(), at(branch, kPositive), at(branch, kNegative));
}

void WindowSums::Merge(const WindowSums& other) {
  for (const Branch branch : kBranches) {
    for (const Sign sign : kSigns) {
      IntegerMoments& mine = at(branch, sign);
      const IntegerMoments& theirs = other.at(branch, sign);
      AddTo(mine.n, theirs.n);
      AddTo(mine.sum_q, theirs.sum_q);
      AddTo(mine.sum_q2, theirs.sum_q2);
    }
  }
}

void WindowSums::Clear() { *this = WindowSums(classes()); }

std::vector<int64_t> WindowSums::Flatten() const {
  std::vector<int64_t> flat;
  flat.reserve(kBranches.size() * kSigns.size() * kArrays * classes());
  for (const auto& branch : moments_) {
    for (const IntegerMoments& moments : branch) {
      for (const auto* array : {&moments.n, &moments.sum_q, &moments.sum_q2}) {
        flat.insert(flat.end(), array->begin(), array->end());
      }
    }
  }
  return flat;
}

WindowSums WindowSums::FromFlat(std::span<const int64_t> flat, int classes) {
  assert(flat.size() == kBranches.size() * kSigns.size() * kArrays * classes);
  WindowSums sums(classes);
  auto next = flat.begin();
  for (auto& branch : sums.moments_) {
    for (IntegerMoments& moments : branch) {
      for (auto* array : {&moments.n, &moments.sum_q, &moments.sum_q2}) {
        std::copy_n(next, classes, array->begin());
        next += classes;
      }
    }
  }
  return sums;
}

absl::Status CheckWindow(int64_t window_steps, int64_t global_batch) {
  if (window_steps < 1 || global_batch < 1) {
    return absl::InvalidArgumentError(
        fmt::format("statistics window of {} steps with {} images a step: both must be at least 1",
                    window_steps, global_batch));
  }
  if (window_steps > (kWindowImages - 1) / global_batch) {
    return absl::InvalidArgumentError(fmt::format(
        "statistics window of {} steps with {} images a step: the integer sums could overflow; "
        "their product must be below {}, so take a window of at most {} steps",
        window_steps, global_batch, kWindowImages, (kWindowImages - 1) / global_batch));
  }
  return absl::OkStatus();
}

}  // namespace ltml::statistics
