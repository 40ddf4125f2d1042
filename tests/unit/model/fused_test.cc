// The fused kernels against LibTorch's operators in double precision.
#include "worker/model/fused.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <string>
#include <vector>

#include "tests/unit/model/golden.h"
#include "worker/model/network.h"

namespace ltml::model {
namespace {

// Of single-precision arithmetic through twenty to fifty layers, relative to the norm.
constexpr double kTolerance = 2e-4;

struct Case {
  Architecture architecture = Architecture::kResnet18;
  int width = 16;
  int64_t size = 40, uniform = 3, rebalanced = 4;
  Branches branches = Branches::kBoth;
  bool apart = false;
};

NetworkOptions OptionsOf(const Case& c) {
  return {.architecture = c.architecture,
          .width = c.width,
          .classes = 5,
          .head_layers = {6},
          .branches = c.branches,
          .separate_bn_statistics = c.apart};
}

std::unique_ptr<Network> InDouble(NetworkOptions options) {
  options.type = at::kDouble;
  return MustCreate(options);
}

at::Tensor ImagesOf(const Case& c) {
  return Formula("images", {c.uniform + c.rebalanced, 3, c.size, c.size}, 1.5);
}

// A sum in which every logit counts differently.
at::Tensor WeightedSum(const Logits& logits) {
  at::Tensor sum;
  int number = 0;
  for (const at::Tensor& z : {logits.u, logits.u_hat, logits.r, logits.r_hat}) {
    ++number;
    if (!z.defined()) continue;
    const at::Tensor weights =
        Formula("weights/" + std::to_string(number), {z.size(0), z.size(1)}, 1.0);
    const at::Tensor part = (z * weights.to(z.scalar_type())).sum();
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

double Difference(const at::Tensor& got, const at::Tensor& expected) {
  const at::Tensor wide = got.detach().to(at::kDouble);
  return (wide - expected.detach()).norm().item<double>() /
         std::max(expected.detach().norm().item<double>(), 1e-12);
}

void ExpectSame(const std::vector<NamedTensor>& got, const std::vector<NamedTensor>& expected,
                bool gradients) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const at::Tensor& ours = gradients ? got[i].tensor.grad() : got[i].tensor;
    const at::Tensor& theirs = gradients ? expected[i].tensor.grad() : expected[i].tensor;
    EXPECT_LT(Difference(ours, theirs), kTolerance) << got[i].name;
  }
}

class FusedTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!FusedIsAvailable()) GTEST_SKIP() << "this processor has neither AVX2 nor AVX-512";
  }
};

TEST_P(FusedTest, TrainsAndPredictsAsLibTorchInDouble) {
  const Case& c = GetParam();
  const auto fused = MustCreate(OptionsOf(c));
  const auto plain = InDouble(OptionsOf(c));
  const at::Tensor x = ImagesOf(c);
  // Twice: what the first pass leaves behind must not reach the second.
  for (int pass = 0; pass < 2; ++pass) {
    const at::Tensor ours = WeightedSum(fused->Forward(x.to(at::kFloat), c.uniform));
    const at::Tensor theirs = WeightedSum(plain->Forward(x, c.uniform));
    EXPECT_LT(Difference(ours, theirs), kTolerance);
    for (const auto* network : {fused.get(), plain.get()}) {
      int index = 0;
      for (const NamedTensor& named : network->parameters()) {
        at::Tensor tensor = named.tensor;
        if (tensor.grad().defined() && !network->OverwritesGradient(index)) {
          tensor.mutable_grad().zero_();
        }
        ++index;
      }
    }
    ours.backward();
    theirs.backward();
    ExpectSame(fused->parameters(), plain->parameters(), true);
    ExpectSame(fused->buffers(), plain->buffers(), false);
  }
  EXPECT_LT(Difference(fused->Predict(x.to(at::kFloat)), plain->Predict(x)), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, FusedTest,
    ::testing::Values(Case{}, Case{.architecture = Architecture::kResnet50, .width = 8},
                      Case{.width = 5, .size = 37}, Case{.apart = true},
                      Case{.branches = Branches::kUniform}, Case{.branches = Branches::kRebalanced},
                      Case{.architecture = Architecture::kResnet34, .width = 4, .size = 33}),
    [](const auto& info) { return "case" + std::to_string(info.index); });

TEST(Fused, ThreadsChangeNoBit) {
  if (!FusedIsAvailable()) GTEST_SKIP() << "this processor has neither AVX2 nor AVX-512";
  const Case c;
  const auto run = [&](int threads) {
    at::set_num_threads(threads);
    const auto network = MustCreate(OptionsOf(c));
    WeightedSum(network->Forward(ImagesOf(c).to(at::kFloat), c.uniform)).backward();
    std::vector<at::Tensor> gradients;
    for (size_t i = 0; i < network->parameters().size(); ++i) {
      if (!network->OverwritesGradient(static_cast<int>(i))) continue;  // LibTorch's own
      gradients.push_back(network->parameters()[i].tensor.grad());
    }
    return gradients;
  };
  const int before = at::get_num_threads();
  const auto expected = run(1), got = run(3);
  at::set_num_threads(before);
  ASSERT_FALSE(expected.empty());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(at::equal(expected[i], got[i])) << i;
}

struct Recorder : torch::autograd::PostAccumulateGradHook {
  Recorder(std::vector<std::string>& names, std::string name)
      : names(names), name(std::move(name)) {}
  void operator()(const torch::autograd::Variable&) override { names.push_back(name); }
  std::vector<std::string>& names;
  const std::string name;
};

TEST(Fused, EveryParametersHookIsCalledOnceBranchesFirst) {
  if (!FusedIsAvailable()) GTEST_SKIP() << "this processor has neither AVX2 nor AVX-512";
  const Case c;
  const auto network = MustCreate(OptionsOf(c));
  std::vector<std::string> called, expected;
  for (const NamedTensor& named : network->parameters()) {
    expected.push_back(named.name);
    torch::autograd::impl::set_post_acc_grad_hooks(named.tensor,
                                                   std::make_unique<Recorder>(called, named.name));
  }
  WeightedSum(network->Forward(ImagesOf(c).to(at::kFloat), c.uniform)).backward();
  EXPECT_THAT(called, ::testing::UnorderedElementsAreArray(expected));
  EXPECT_EQ(called.back(), "trunk.conv1.weight");
  std::string order;
  for (const std::string& name : called) {
    if (name.find("head") != std::string::npos) continue;
    if (order.empty() || order.back() != name[0]) order += name[0];
  }
  EXPECT_EQ(order, "gft");
}

TEST(Fused, GradientsAreWrittenWhereTheyAreAskedFor) {
  if (!FusedIsAvailable()) GTEST_SKIP() << "this processor has neither AVX2 nor AVX-512";
  const Case c;
  const auto network = MustCreate(OptionsOf(c));
  std::vector<void*> places;
  for (const NamedTensor& named : network->parameters()) {
    at::Tensor tensor = named.tensor;
    tensor.mutable_grad() = at::zeros_like(tensor);
    places.push_back(tensor.grad().data_ptr());
  }
  WeightedSum(network->Forward(ImagesOf(c).to(at::kFloat), c.uniform)).backward();
  for (size_t i = 0; i < places.size(); ++i) {
    const NamedTensor& named = network->parameters()[i];
    EXPECT_EQ(named.tensor.grad().data_ptr(), places[i]) << named.name;
    EXPECT_GT(named.tensor.grad().abs().max().item<float>(), 0) << named.name;
  }
}

}  // namespace
}  // namespace ltml::model
