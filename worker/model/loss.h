#pragma once

#include <ATen/ATen.h>

#include "common/statistics/statistics.h"
#include "worker/model/network.h"

namespace ltml::model {

enum class Weighting { kFrequency, kNone };

// sigma and mu as tensors [K] per [branch][sign]; in the `learnable` mode leaves with gradient.
struct CompensationTensors {
  at::Tensor sigma[2][2];
  at::Tensor mu[2][2];
  static CompensationTensors From(const statistics::Compensation& compensation,
                                  const at::TensorOptions& options);
};

struct LossOptions {
  Weighting weighting = Weighting::kFrequency;
  double consistency = 0.1;  // lambda
  int64_t global_batch = 1;  // divisor of every sum
};

// All tensors are on one device.  Sums over the local rows; each already divided by K and by the
// GLOBAL batch.  `total` carries the gradient; the parts are detached scalars.  total = uniform +
// rebalanced + lambda * consistency.
struct LossTerms {
  at::Tensor total;
  at::Tensor classification_uniform, classification_rebalanced, consistency;
};

// docs/method.md, Loss; Guo & Wang 2021, eq. 2-8.  rho_K in [0, 1]; labels [B_u, K], [B_r, K].
// Logits that are undefined (single branch) leave their terms out.
LossTerms Loss(const Logits& logits, const at::Tensor& labels_u_BK, const at::Tensor& labels_r_BK,
               const at::Tensor& rho_K, const CompensationTensors& compensation,
               const LossOptions& options);

}  // namespace ltml::model
