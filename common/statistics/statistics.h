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
  int classes() const;
  const IntegerMoments& at(Branch branch, Sign sign) const;
  IntegerMoments& at(Branch branch, Sign sign);

  // Adds `images` rows of logits and 0/1 labels, both [images][K] row-major, of one branch.
  // Logits must be finite (the guard has seen them).
  void Add(Branch branch, std::span<const float> logits_BK, std::span<const float> labels_BK);
  void Add(Branch branch, std::span<const double> logits_BK, std::span<const double> labels_BK);
  // Adds another set of images; both have the same classes.
  void Merge(const WindowSums& other);
  void Clear();
  bool operator==(const WindowSums&) const = default;

  // The 12 K numbers in one fixed order, for an int64 all-reduce, and back.
  std::vector<int64_t> Flatten() const;
  static WindowSums FromFlat(std::span<const int64_t> flat, int classes);
};

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
  int classes() const;
  const Totals& at(Branch branch, Sign sign) const;
  Totals& at(Branch branch, Sign sign);
  // Decays what is there by beta, then merges `window` (Chan et al.; docs/method.md).
  void Fold(const WindowSums& window, double beta);
  bool operator==(const DecayedTotals&) const = default;
};

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

// Shrunk and clamped scale and shift of every class (docs/method.md, both forms).
Compensation Compensate(const DecayedTotals& totals, double prior, Form form);

// The `labels` mode: mean and standard deviation of all entries of the label rows whose k-th entry is
// 1 (0).  label_rows[i] lists the classes of image i.  The same for both branches.
Compensation CompensateFromLabels(const std::vector<std::vector<int32_t>>& label_rows, int classes);

// InvalidArgument when sums of a window could overflow int64: window * global_batch >= 2^21.
absl::Status CheckWindow(int64_t window_steps, int64_t global_batch);

}  // namespace ltml::statistics
