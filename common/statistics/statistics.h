#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"

namespace ltml::statistics {

// K classes; two branches; two signs.  Everything here is indexed [branch][sign][class].
enum Branch : int { kUniform = 0, kRebalanced = 1 };
enum Sign : int { kPositive = 0, kNegative = 1 };
inline constexpr std::array kBranches = {kUniform, kRebalanced};
inline constexpr std::array kSigns = {kPositive, kNegative};

// A window must hold fewer images than this over all ranks: 2^21 squares of up to 2^21 each would
// overflow int64.
inline constexpr int64_t kWindowImages = int64_t{1} << 21;

// Exact sums over quantised logits q = round(4096 clamp(z, -512, 512)), ties to even.
struct IntegerMoments {
  std::vector<int64_t> n, sum_q, sum_q2;  // each [K]
  bool operator==(const IntegerMoments&) const = default;
};

// Sums of one statistics window over some set of images.  Addition is exact and has no order.
class WindowSums {
 public:
  WindowSums() = default;  // no classes
  explicit WindowSums(int classes);
  int classes() const { return static_cast<int>(moments_[0][0].n.size()); }
  const IntegerMoments& at(Branch branch, Sign sign) const { return moments_[branch][sign]; }
  IntegerMoments& at(Branch branch, Sign sign) { return moments_[branch][sign]; }

  // Adds `images` rows of logits and 0/1 labels, both [images][K] row-major, of one branch.
  // Logits must be finite (the guard has seen them); any label but 0 counts as 1.
  // About 2 ns a logit, no allocation.
  void Add(Branch branch, std::span<const float> logits_BK, std::span<const float> labels_BK);
  void Add(Branch branch, std::span<const double> logits_BK, std::span<const double> labels_BK);
  // Adds another set of images; both have the same classes.
  void Merge(const WindowSums& other);
  void Clear();
  bool operator==(const WindowSums&) const = default;

  // The 12 K numbers in one fixed order, [branch][sign][n, sum q, sum q^2][class], for an int64
  // all-reduce, and back.
  std::vector<int64_t> Flatten() const;
  static WindowSums FromFlat(std::span<const int64_t> flat, int classes);

 private:
  std::array<std::array<IntegerMoments, 2>, 2> moments_;  // [Branch][Sign]
};

// Decayed count, mean and sum of squared deviations of the logits of one branch and sign.

struct Totals {
  std::vector<double> count, mean, m2;  // decayed, each [K]
  std::vector<int64_t> delivered;       // labels seen so far, never decayed
  bool operator==(const Totals&) const = default;
};

// Decayed totals of all windows folded so far.  Windows must be folded in order.
class DecayedTotals {
 public:
  DecayedTotals() = default;
  explicit DecayedTotals(int classes);
  int classes() const { return static_cast<int>(totals_[0][0].count.size()); }
  const Totals& at(Branch branch, Sign sign) const { return totals_[branch][sign]; }
  Totals& at(Branch branch, Sign sign) { return totals_[branch][sign]; }
  // Decays count and M2 by beta (the mean stays), then merges `window`, which has the same classes
  // (Chan, Golub and LeVeque 1979):
  //   mean_w = sum q / (4096 n)             M2_w = (n sum q^2 - (sum q)^2) / (n 4096^2)
  //   mean += d n / (count + n)             M2 += M2_w + d^2 count n / (count + n),  d = mean_w -
  //   mean
  // `delivered` grows by n and never decays.
  void Fold(const WindowSums& window, double beta);
  bool operator==(const DecayedTotals&) const = default;

 private:
  std::array<std::array<Totals, 2>, 2> totals_;  // [Branch][Sign]
};

// What the loss multiplies and adds to the logits of one branch and sign.

struct ScaleShift {
  std::vector<double> sigma, mu;  // each [K]
  bool operator==(const ScaleShift&) const = default;
};

struct Compensation {
  std::array<std::array<ScaleShift, 2>, 2> branch_sign;  // [Branch][Sign]
  const ScaleShift& at(Branch branch, Sign sign) const { return branch_sign[branch][sign]; }
  ScaleShift& at(Branch branch, Sign sign) { return branch_sign[branch][sign]; }
  // sigma = 1, mu = 0.
  static Compensation Neutral(int classes);
  bool operator==(const Compensation&) const = default;
};

enum class Form { kRelative, kAbsolute };

// Shrunk and clamped scale and shift of every class (docs/method.md).  With n the decayed count, m
// the mean, sd = sqrt(M2 / n) and n0 = `prior` >= 0:
//   absolute: sigma = clamp(sqrt((M2 + n0) / (n + n0)), 0.25, 4)   mu = n m / (n + n0)
//   relative: sigma = clamp((n sd / sbar + n0) / (n + n0), 0.5, 2)
//             mu    = clamp(n (m - mbar) / (n + n0), -2, 2)
// mbar and sbar (at least 1e-3) are unweighted means of m and sd over the classes with n > 0 of
// that branch and sign.  A class with n = 0 has sigma 1 and mu 0.
Compensation Compensate(const DecayedTotals& totals, double prior, Form form);

// The `labels` mode: mu and sigma are mean and standard deviation (population form, at least 1e-3)
// of all K entries of the label rows whose k-th entry is 1 (0).  label_rows[i] lists the distinct
// classes of image i.  The same for both branches.  Where there is no such row, sigma 1 and mu 0.
Compensation CompensateFromLabels(const std::vector<std::vector<int32_t>>& label_rows, int classes);

// InvalidArgument when sums of a window could overflow int64: window * global_batch >= 2^21.
absl::Status CheckWindow(int64_t window_steps, int64_t global_batch);

}  // namespace ltml::statistics
