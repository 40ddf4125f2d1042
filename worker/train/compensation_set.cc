#include "worker/train/compensation_set.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

namespace ltml::train {

CompensationSet::CompensationSet(const TrainerOptions& options, int classes,
                                 const at::TensorOptions& tensors, std::array<bool, 2> has_branch)
    : mode_(options.compensation), options_(tensors) {
  tensors_ = model::CompensationTensors::From(mode_ == CompensationMode::kLabels
                                                  ? options.fixed_compensation
                                                  : statistics::Compensation::Neutral(classes),
                                              options_);
  if (mode_ != CompensationMode::kLearnable) return;
  for (int branch = 0; branch < 2; ++branch) {
    if (has_branch[branch]) MakeLearnable(branch);
  }
}

void CompensationSet::MakeLearnable(int branch) {
  const char* branch_name = branch == statistics::kUniform ? "uniform" : "rebalanced";
  for (const int sign : {statistics::kPositive, statistics::kNegative}) {
    const char* sign_name = sign == statistics::kPositive ? "positive" : "negative";
    for (at::Tensor* tensor : {&tensors_.sigma[branch][sign], &tensors_.mu[branch][sign]}) {
      const char* kind = tensor == &tensors_.mu[branch][sign] ? "mu" : "sigma";
      *tensor = tensor->detach().clone().requires_grad_(true);
      parameters_.push_back(
          {fmt::format("compensation.{}.{}.{}", branch_name, sign_name, kind), *tensor});
    }
  }
}

void CompensationSet::Renew(const statistics::Compensation& compensation) {
  if (mode_ != CompensationMode::kStatistics) return;
  const at::NoGradGuard no_grad;
  const auto renewed = model::CompensationTensors::From(compensation, options_);
  for (const auto branch : {statistics::kUniform, statistics::kRebalanced}) {
    for (const auto sign : {statistics::kPositive, statistics::kNegative}) {
      tensors_.sigma[branch][sign].copy_(renewed.sigma[branch][sign]);
      tensors_.mu[branch][sign].copy_(renewed.mu[branch][sign]);
    }
  }
}

}  // namespace ltml::train
