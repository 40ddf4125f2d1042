#include "worker/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace ltml::train {
namespace {

constexpr double kStepGamma = 0.1;

// A share such as 0.55 of 100 steps is 55 steps although the product rounds up to 55.000...01.
int64_t MilestoneStep(double share, int64_t steps) {
  const double exact = share * static_cast<double>(steps);
  return static_cast<int64_t>(std::ceil(exact - 1e-9 * std::max(1.0, exact)));
}

}  // namespace

double WarmUpFactor(double start, int64_t warmup_steps, int64_t step) {
  if (step >= warmup_steps) return 1.0;
  return start + (1.0 - start) * static_cast<double>(step) / static_cast<double>(warmup_steps);
}

double CosineDecay(double base, double minimum, int64_t t, int64_t total) {
  if (total <= 0) return base;
  const double angle = std::numbers::pi * static_cast<double>(t) / static_cast<double>(total);
  return minimum + (base - minimum) * (1.0 + std::cos(angle)) / 2.0;
}

double StepDecay(double base, double gamma, std::span<const int64_t> milestones, int64_t t) {
  const auto passed =
      std::count_if(milestones.begin(), milestones.end(), [t](int64_t m) { return m <= t; });
  return base * std::pow(gamma, static_cast<double>(passed));
}

double LearningRate(const TrainerOptions& options, int64_t step) {
  const double warm_up = WarmUpFactor(options.warmup_start, options.warmup_steps, step);
  if (options.decay == Decay::kCosine) {
    if (step < options.warmup_steps) return options.learning_rate * warm_up;
    return CosineDecay(options.learning_rate, 0.0, step - options.warmup_steps,
                       options.steps - options.warmup_steps);
  }
  std::vector<int64_t> milestones;
  for (const double share : options.milestones) {
    milestones.push_back(MilestoneStep(share, options.steps));
  }
  return StepDecay(options.learning_rate, kStepGamma, milestones, step) * warm_up;
}

}  // namespace ltml::train
