#include "worker/engine/engine.h"

#include <gtest/gtest.h>

namespace ltml::engine {
namespace {

constexpr int kImages = 4, kImageSize = 128, kChannels = 16;

// A stem and `blocks` bottlenecks on maps of a quarter of the image's size, in the trunk and once
// more in a branch.
NetworkPlan BottleneckPlan(int blocks) {
  NetworkPlan plan;
  plan.layers.push_back({.in_channels = 3, .out_channels = kChannels, .kernel = 7, .stride = 2});
  const auto add = [&plan](int in, int out, int kernel) {
    plan.layers.push_back({.in_channels = in, .out_channels = out, .kernel = kernel});
    return static_cast<int>(plan.layers.size()) - 1;
  };
  int in = kChannels;
  const auto bottleneck = [&] {
    BlockPlan block;
    block.path = {add(in, kChannels, 1), add(kChannels, kChannels, 3),
                  add(kChannels, 4 * kChannels, 1)};
    if (in != 4 * kChannels) block.downsample = add(in, 4 * kChannels, 1);
    in = 4 * kChannels;
    return block;
  };
  for (int i = 0; i < blocks; ++i) plan.trunk.push_back(bottleneck());
  plan.branches.emplace_back();
  for (int i = 0; i < blocks; ++i) plan.branches[0].push_back(bottleneck());
  return plan;
}

int64_t MemoryOf(int blocks, Purpose purpose) {
  return Engine(BottleneckPlan(blocks), {{kImages}, kImageSize, kImageSize}, purpose,
                *kernels::BestIsa())
      .memory_bytes();
}

// Of a bottleneck's 12 channels of maps, 6 are of convolutions and 4 its output, every other one of
// which is kept.
TEST(Engine, KeepsForBackwardWhatConvolutionsGiveAndHalfOfTheOutputs) {
  if (kernels::BestIsa() == nullptr) GTEST_SKIP() << "this processor has no AVX2";
  constexpr int64_t kMap = int64_t{kImages} * (kImageSize / 4) * (kImageSize / 4) * kChannels * 4;
  const int64_t of_a_block =
      (MemoryOf(12, Purpose::kTraining) - MemoryOf(4, Purpose::kTraining)) / (2 * 8);
  EXPECT_NEAR(static_cast<double>(of_a_block) / kMap, 8.0, 0.1);
}

TEST(Engine, PredictionNeedsNoMemoryForDepth) {
  if (kernels::BestIsa() == nullptr) GTEST_SKIP() << "this processor has no AVX2";
  EXPECT_EQ(MemoryOf(4, Purpose::kPrediction), MemoryOf(12, Purpose::kPrediction));
}

}  // namespace
}  // namespace ltml::engine
