#pragma once

#include <cstdint>
#include <span>

#include "worker/train/trainer.h"

namespace ltml::train {

// Learning rates as pure functions of the step, counted from 0.

// start + (1 - start) t / steps for t < steps, 1 from there on.
double WarmUpFactor(double start, int64_t warmup_steps, int64_t step);

// minimum + (base - minimum) (1 + cos(pi t / total)) / 2, t in [0, total].
double CosineDecay(double base, double minimum, int64_t t, int64_t total);

// base times gamma for every milestone <= t; a milestone that is listed twice counts twice.
double StepDecay(double base, double gamma, std::span<const int64_t> milestones, int64_t t);

// The rate of training step `step` in [0, options.steps) (docs/method.md, Training constants):
// kStep: warm-up times 0.1 at each ceil(milestone * steps); kCosine: warm-up, then half a cosine
// to zero over the steps that remain.
double LearningRate(const TrainerOptions& options, int64_t step);

}  // namespace ltml::train
