#include "worker/model/loss.h"

#include <vector>

namespace ltml::model {
namespace {

// Shapes: B rows of this rank, K classes.
struct ClassificationInput {
  const at::Tensor& logits_BK;
  const at::Tensor& labels_BK;
  const at::Tensor& rho_K;
  const at::Tensor (&sigma_K)[2];
  const at::Tensor (&mu_K)[2];
};

at::ScalarType ComputationType(const at::Tensor& logits) {
  return logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// w = y e^(1 - rho) + (1 - y) e^rho
at::Tensor Weights(const at::Tensor& y_BK, const at::Tensor& rho_K) {
  return at::where(y_BK.gt(0.5), (1 - rho_K).exp(), rho_K.exp());
}

// -sum of w (y log s(z sigma+ + mu+) + (1 - y) log(1 - s(z sigma- + mu-))).  Each entry uses one
// sign only, so its argument is chosen first: x = z sigma + mu of its sign, negated for y = 0.
at::Tensor ClassificationSum(const ClassificationInput& in, Weighting weighting) {
  const at::ScalarType type = ComputationType(in.logits_BK);
  const at::Tensor z_BK = in.logits_BK.to(type), y_BK = in.labels_BK.to(type);
  const at::Tensor positive_BK = y_BK.gt(0.5);
  const auto chosen = [&](const at::Tensor(&of_sign_K)[2]) {
    return at::where(positive_BK, of_sign_K[statistics::kPositive].to(type),
                     of_sign_K[statistics::kNegative].to(type));
  };
  const at::Tensor x_BK = at::addcmul(chosen(in.mu_K), z_BK, chosen(in.sigma_K));
  const at::Tensor loss_BK = at::log_sigmoid(x_BK * (2 * y_BK - 1));
  if (weighting == Weighting::kNone) return -loss_BK.sum();
  return -(loss_BK * Weights(y_BK, in.rho_K.to(type))).sum();
}

at::Tensor ConsistencySum(const at::Tensor& a_BK, const at::Tensor& b_BK) {
  const at::ScalarType type = ComputationType(a_BK);
  return (a_BK.to(type) - b_BK.to(type)).square().sum();
}

at::Tensor VectorOf(const std::vector<double>& values, const at::TensorOptions& options) {
  return at::tensor(values, at::kDouble).to(options);
}

// A sum of no terms.
at::Tensor ZeroLike(const Logits& logits) {
  for (const at::Tensor* tensor : {&logits.u, &logits.r, &logits.u_hat, &logits.r_hat}) {
    if (tensor->defined()) return at::zeros({}, tensor->options().dtype(ComputationType(*tensor)));
  }
  return at::zeros({}, at::kFloat);
}

}  // namespace

CompensationTensors CompensationTensors::From(const statistics::Compensation& compensation,
                                              const at::TensorOptions& options) {
  CompensationTensors tensors;
  for (const auto branch : {statistics::kUniform, statistics::kRebalanced}) {
    for (const auto sign : {statistics::kPositive, statistics::kNegative}) {
      const statistics::ScaleShift& from = compensation.at(branch, sign);
      tensors.sigma[branch][sign] = VectorOf(from.sigma, options);
      tensors.mu[branch][sign] = VectorOf(from.mu, options);
    }
  }
  return tensors;
}

LossTerms Loss(const Logits& logits, const at::Tensor& labels_u_BK, const at::Tensor& labels_r_BK,
               const at::Tensor& rho_K, const CompensationTensors& compensation,
               const LossOptions& options) {
  at::Tensor zero = ZeroLike(logits);
  const double divisor =
      static_cast<double>(options.global_batch) * static_cast<double>(rho_K.size(0));
  const auto classification = [&](const at::Tensor& z_BK, const at::Tensor& y_BK, int branch) {
    if (!z_BK.defined()) return zero;
    return ClassificationSum(
               {z_BK, y_BK, rho_K, compensation.sigma[branch], compensation.mu[branch]},
               options.weighting) /
           divisor;
  };
  const auto consistency = [&](const at::Tensor& a_BK, const at::Tensor& b_BK) {
    return a_BK.defined() && b_BK.defined() ? ConsistencySum(a_BK, b_BK) / divisor : zero;
  };
  const at::Tensor uniform = classification(logits.u, labels_u_BK, statistics::kUniform);
  const at::Tensor rebalanced = classification(logits.r, labels_r_BK, statistics::kRebalanced);
  const at::Tensor distance =
      consistency(logits.u, logits.u_hat) + consistency(logits.r, logits.r_hat);
  return {.total = uniform + rebalanced + options.consistency * distance,
          .classification_uniform = uniform.detach(),
          .classification_rebalanced = rebalanced.detach(),
          .consistency = distance.detach()};
}

}  // namespace ltml::model
