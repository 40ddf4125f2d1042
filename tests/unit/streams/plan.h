#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "coordinator/streams/attempt.h"

namespace ltml::streams {

inline constexpr int kParts = 4;  // portions of a step that are dealt out to ranks

// Some run: what every portion of every step adds to the sums.
struct Plan {
  AttemptOptions options;
  std::vector<std::vector<statistics::WindowSums>> steps;  // [step][part]

  statistics::WindowSums Sum(int64_t first, int64_t end, int rank, int world_size) const {
    statistics::WindowSums sums(options.classes);
    for (int64_t step = first; step < end; ++step) {
      for (int part = rank; part < kParts; part += world_size) sums.Merge(steps[step][part]);
    }
    return sums;
  }
  statistics::WindowSums Global(int64_t first, int64_t end) const { return Sum(first, end, 0, 1); }
  statistics::WindowSums Window(int64_t w) const {
    return Global(w * options.window, std::min((w + 1) * options.window, options.steps));
  }
  // Version v by its definition.
  statistics::DecayedTotals Version(int64_t v) const {
    statistics::DecayedTotals totals(options.classes);
    for (int64_t w = 0; w <= v; ++w) totals.Fold(Window(w), options.decay);
    return totals;
  }
  int64_t Windows() const { return (options.steps + options.window - 1) / options.window; }
};

inline statistics::WindowSums RandomSums(std::mt19937_64& random, int classes) {
  statistics::WindowSums sums(classes);
  std::uniform_int_distribution<int64_t> count(0, 3), q(-2000000, 2000000);
  for (statistics::Branch branch : {statistics::kUniform, statistics::kRebalanced}) {
    for (statistics::Sign sign : {statistics::kPositive, statistics::kNegative}) {
      auto& moments = sums.at(branch, sign);
      for (int k = 0; k < classes; ++k) {
        const int64_t images = count(random);
        for (int64_t i = 0; i < images; ++i) {
          const int64_t value = q(random);
          moments.n[k] += 1;
          moments.sum_q[k] += value;
          moments.sum_q2[k] += value * value;
        }
      }
    }
  }
  return sums;
}

inline Plan MakePlan(std::mt19937_64& random, int64_t steps, int64_t window, int classes = 3) {
  Plan plan;
  plan.options.steps = steps;
  plan.options.window = window;
  plan.options.classes = classes;
  for (int64_t step = 0; step < steps; ++step) {
    plan.steps.emplace_back();
    for (int part = 0; part < kParts; ++part) {
      plan.steps.back().push_back(RandomSums(random, classes));
    }
  }
  return plan;
}

inline Resume ResumeAt(const Plan& plan, int64_t step) {
  const int64_t w = step / plan.options.window;
  Resume resume;
  resume.step = step;
  resume.totals_in_force = plan.Version(w - 2);
  resume.previous_window =
      w > 0 ? plan.Window(w - 1) : statistics::WindowSums(plan.options.classes);
  resume.open_window = plan.Global(w * plan.options.window, step);
  return resume;
}

}  // namespace ltml::streams
