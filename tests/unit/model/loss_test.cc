#include "worker/model/loss.h"

#include <functional>

#include "tests/unit/model/golden.h"

namespace ltml::model {
namespace {

constexpr const char* kBranchNames[] = {"u", "r"};
constexpr const char* kSignNames[] = {"pos", "neg"};

// One case of loss.json, in one type.
struct LossCase {
  LossCase(element golden, at::ScalarType type)
      : name(golden["name"].get_string().value()),
        labels_u(Matrix(golden["labels"]["u"]).to(type)),
        labels_r(Matrix(golden["labels"]["r"]).to(type)),
        rho(Vector(golden["rho"]).to(type)) {
    const auto leaf = [&](const char* key) {
      return Matrix(golden["logits"][key]).to(type).set_requires_grad(true);
    };
    logits = {.u = leaf("u"), .u_hat = leaf("u_hat"), .r = leaf("r"), .r_hat = leaf("r_hat")};
    const bool learnable = golden["mode"].get_string().value() == "learnable";
    for (const int b : {0, 1}) {
      for (const int s : {0, 1}) {
        const auto& branch = kBranchNames[b];
        const auto& sign = kSignNames[s];
        compensation.sigma[b][s] =
            Vector(golden["sigma"][branch][sign]).to(type).set_requires_grad(learnable);
        compensation.mu[b][s] =
            Vector(golden["mu"][branch][sign]).to(type).set_requires_grad(learnable);
      }
    }
    options = {.consistency = golden["lambda"].get_double(),
               .global_batch = golden["batch"].get_int64()};
  }
  LossTerms Compute() const { return Loss(logits, labels_u, labels_r, rho, compensation, options); }
  // Rows [from, to) of both streams.
  LossTerms ComputeRows(int64_t from, int64_t to) const {
    const auto rows = [&](const at::Tensor& t) { return t.slice(0, from, to); };
    return Loss({.u = rows(logits.u),
                 .u_hat = rows(logits.u_hat),
                 .r = rows(logits.r),
                 .r_hat = rows(logits.r_hat)},
                rows(labels_u), rows(labels_r), rho, compensation, options);
  }

  std::string name;
  Logits logits;
  at::Tensor labels_u, labels_r, rho;
  CompensationTensors compensation;
  LossOptions options;
};

void ForEachCase(at::ScalarType type, const std::function<void(element, const LossCase&)>& body) {
  const GoldenJson json("loss.json");
  for (const element golden : json.root()["cases"]) body(golden, LossCase(golden, type));
}

double Mean(element golden, const char* key) {
  return Vector(golden["per_image"][key]).mean().item<double>();
}

// Relative to the value, or to 1e-3 where it is smaller.
void ExpectRelative(double got, double want, double tolerance, const std::string& what) {
  EXPECT_LE(std::abs(got - want), tolerance * std::max(1e-3, std::abs(want)))
      << what << ": " << got << " " << want;
}

void ExpectTermsAndLoss(element golden, const LossCase& loss_case, double tolerance) {
  const LossTerms terms = loss_case.Compute();
  const std::string& name = loss_case.name;
  ExpectRelative(terms.classification_uniform.item<double>(), Mean(golden, "cls_u"), tolerance,
                 name + " cls_u");
  ExpectRelative(terms.classification_rebalanced.item<double>(), Mean(golden, "cls_r"), tolerance,
                 name + " cls_r");
  ExpectRelative(terms.consistency.item<double>(), Mean(golden, "con_u") + Mean(golden, "con_r"),
                 tolerance, name + " con");
  ExpectRelative(terms.total.item<double>(), golden["loss"].get_double(), tolerance, name);
  EXPECT_FALSE(terms.classification_uniform.requires_grad());
}

void ExpectGradients(element golden, const LossCase& loss_case, double tolerance) {
  loss_case.Compute().total.backward();
  const auto check = [&](const at::Tensor& leaf, element want, const std::string& what) {
    const at::Tensor expected = want.at(0).is_array() ? Matrix(want) : Vector(want);
    ExpectClose(leaf.grad(), expected, tolerance, loss_case.name + " " + what);
  };
  check(loss_case.logits.u, golden["gradient"]["u"], "u");
  check(loss_case.logits.u_hat, golden["gradient"]["u_hat"], "u_hat");
  check(loss_case.logits.r, golden["gradient"]["r"], "r");
  check(loss_case.logits.r_hat, golden["gradient"]["r_hat"], "r_hat");
  if (golden["mode"].get_string().value() != "learnable") return;
  for (const int b : {0, 1}) {
    for (const int s : {0, 1}) {
      check(loss_case.compensation.sigma[b][s],
            golden["gradient_sigma"][kBranchNames[b]][kSignNames[s]], "sigma");
      check(loss_case.compensation.mu[b][s], golden["gradient_mu"][kBranchNames[b]][kSignNames[s]],
            "mu");
    }
  }
}

TEST(LossGolden, TermsInDouble) {
  ForEachCase(at::kDouble, [](element golden, const LossCase& loss_case) {
    ExpectTermsAndLoss(golden, loss_case, 1e-12);
  });
}

TEST(LossGolden, TermsInFloat32) {
  ForEachCase(at::kFloat, [](element golden, const LossCase& loss_case) {
    ExpectTermsAndLoss(golden, loss_case, 1e-5);
  });
}

TEST(LossGolden, GradientsInDouble) {
  ForEachCase(at::kDouble, [](element golden, const LossCase& loss_case) {
    ExpectGradients(golden, loss_case, 1e-12);
  });
}

TEST(LossGolden, GradientsInFloat32) {
  ForEachCase(at::kFloat, [](element golden, const LossCase& loss_case) {
    ExpectGradients(golden, loss_case, 1e-5);
  });
}

// Rows split over ranks in any way, empty slices included, sum to the same loss and gradient.
TEST(Loss, PartsSumToTheWhole) {
  ForEachCase(at::kDouble, [](element golden, const LossCase& loss_case) {
    const int64_t rows = loss_case.options.global_batch;
    for (int64_t cut = 0; cut <= rows; ++cut) {
      const double total = loss_case.ComputeRows(0, cut).total.item<double>() +
                           loss_case.ComputeRows(cut, rows).total.item<double>();
      ExpectRelative(total, golden["loss"].get_double(), 1e-12, loss_case.name);
    }
    const LossCase split(golden, at::kDouble);
    for (int64_t row = 0; row < rows; ++row) split.ComputeRows(row, row + 1).total.backward();
    ExpectClose(split.logits.u.grad(), Matrix(golden["gradient"]["u"]), 1e-12, split.name);
    ExpectClose(split.logits.r_hat.grad(), Matrix(golden["gradient"]["r_hat"]), 1e-12, split.name);
  });
}

// One image, one class, by hand: y = 1, z = 0, sigma = 2, mu = 0.5, rho = 0.25.
// Weighted: e^0.75 * log(1 + e^-0.5) = 2.117 * 0.474077 = 1.003621; without weights 0.474077.
TEST(Loss, WeightingMayBeSwitchedOff) {
  const auto one = [](double value) { return at::full({1}, value, at::kDouble); };
  CompensationTensors compensation;
  for (auto& row : compensation.sigma) row[0] = row[1] = one(2);
  for (auto& row : compensation.mu) row[0] = row[1] = one(0.5);
  const Logits logits{.u = at::zeros({1, 1}, at::kDouble), .u_hat = {}, .r = {}, .r_hat = {}};
  const auto loss = [&](Weighting weighting) {
    return Loss(logits, at::ones({1, 1}, at::kDouble), {}, one(0.25), compensation,
                {.weighting = weighting})
        .total.item<double>();
  };
  const double plain = std::log1p(std::exp(-0.5));
  EXPECT_NEAR(plain, 0.474077, 1e-6);
  EXPECT_NEAR(loss(Weighting::kNone), plain, 1e-15);
  EXPECT_NEAR(loss(Weighting::kFrequency), std::exp(0.75) * plain, 1e-15);
}

TEST(Loss, ASingleBranchHasItsOwnTermAlone) {
  ForEachCase(at::kDouble, [](element golden, const LossCase& loss_case) {
    LossCase alone(golden, at::kDouble);
    alone.logits.u_hat = alone.logits.r = alone.logits.r_hat = at::Tensor();
    const LossTerms terms = alone.Compute();
    ExpectRelative(terms.total.item<double>(), Mean(golden, "cls_u"), 1e-12, loss_case.name);
    EXPECT_EQ(terms.consistency.item<double>(), 0);
    EXPECT_EQ(terms.classification_rebalanced.item<double>(), 0);
    LossCase other(golden, at::kDouble);
    other.logits.u_hat = other.logits.u = other.logits.r_hat = at::Tensor();
    ExpectRelative(other.Compute().total.item<double>(), Mean(golden, "cls_r"), 1e-12,
                   loss_case.name);
  });
}

TEST(Loss, IsComputedInFloat32WhateverTheTypeOfTheLogits) {
  ForEachCase(at::kFloat, [](element, const LossCase& loss_case) {
    LossCase half(loss_case);
    half.logits.u = half.logits.u.detach().to(at::kBFloat16).set_requires_grad(true);
    half.logits.r = half.logits.r.detach().to(at::kBFloat16);
    const LossTerms terms = half.Compute();
    EXPECT_EQ(terms.total.scalar_type(), at::kFloat);
    terms.total.backward();
    EXPECT_EQ(half.logits.u.grad().scalar_type(), at::kBFloat16);
  });
}

TEST(CompensationTensors, KeepBranchAndSign) {
  statistics::Compensation compensation = statistics::Compensation::Neutral(2);
  compensation.at(statistics::kRebalanced, statistics::kNegative).sigma = {0.5, 2};
  compensation.at(statistics::kUniform, statistics::kPositive).mu = {-1, 1};
  const auto tensors = CompensationTensors::From(compensation, at::kFloat);
  EXPECT_EQ(tensors.sigma[1][1][0].item<float>(), 0.5f);
  EXPECT_EQ(tensors.mu[0][0][1].item<float>(), 1);
  EXPECT_EQ(tensors.sigma[1][0][0].item<float>(), 1);
  EXPECT_EQ(tensors.mu[0][1][1].item<float>(), 0);
  EXPECT_EQ(tensors.mu[0][0].scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace ltml::model
