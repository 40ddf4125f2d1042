#pragma once

#include <array>
#include <vector>

#include "common/statistics/statistics.h"
#include "worker/model/loss.h"
#include "worker/model/network.h"
#include "worker/train/trainer.h"

namespace ltml::train {

// sigma and mu as the loss takes them: renewed once a window (`statistics`), constant (`labels`,
// `none`), or parameters (`learnable`).
class CompensationSet {
 public:
  // `has_branch`[branch]: only branches of the network get learnable parameters.
  CompensationSet(const TrainerOptions& options, int classes, const at::TensorOptions& tensors,
                  std::array<bool, 2> has_branch);

  const model::CompensationTensors& tensors() const { return tensors_; }
  // A new window's values, in the tensors that are there; without effect in the other modes.
  void Renew(const statistics::Compensation& compensation);
  // Leaves with gradient, named "compensation.<branch>.<sign>.<sigma|mu>"; empty in other modes.
  const std::vector<model::NamedTensor>& parameters() const { return parameters_; }

 private:
  void MakeLearnable(int branch);

  const CompensationMode mode_;
  const at::TensorOptions options_;
  model::CompensationTensors tensors_;
  std::vector<model::NamedTensor> parameters_;
};

}  // namespace ltml::train
