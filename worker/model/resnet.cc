#include "worker/model/resnet.h"

#include <fmt/format.h>

#include <utility>

namespace ltml::model {
namespace {

// The convolutions of a block, before the shortcut joins.
std::vector<ConvolutionNorm::Shape> PathOf(const ResnetPlan& plan, int64_t in, int64_t planes,
                                           int64_t stride) {
  if (!plan.bottleneck) return {{in, planes, 3, stride}, {planes, planes, 3, 1}};
  return {{in, planes, 1, 1}, {planes, planes, 3, stride}, {planes, planes * 4, 1, 1}};
}

std::vector<Linear> MakeHead(TensorList& tensors, const std::string& name, int64_t in,
                             const NetworkOptions& options) {
  std::vector<Linear> head;
  // Layers and rectifiers are counted together.
  int place = 0;
  for (const int hidden : options.head_layers) {
    head.emplace_back(tensors, name + "." + std::to_string(place), in, hidden);
    in = hidden;
    place += 2;
  }
  const std::string last = head.empty() ? name : name + "." + std::to_string(place);
  head.emplace_back(tensors, last, in, options.classes);
  return head;
}

}  // namespace

ResnetPlan PlanOf(Architecture architecture, int width) {
  switch (architecture) {
    case Architecture::kResnet18:
      return {false, {2, 2, 2, 2}, width};
    case Architecture::kResnet34:
      return {false, {3, 4, 6, 3}, width};
    case Architecture::kResnet50:
      return {true, {3, 4, 6, 3}, width};
    case Architecture::kResnet101:
      break;
  }
  return {true, {3, 4, 23, 3}, width};
}

Block::Block(TensorList& tensors, const std::string& name, const ResnetPlan& plan, int64_t in,
             int64_t planes, int64_t stride) {
  for (const auto& shape : PathOf(plan, in, planes, stride)) {
    const size_t number = path_.size() + 1;
    path_.emplace_back(tensors, fmt::format("{}.conv{}", name, number),
                       fmt::format("{}.bn{}", name, number), shape);
  }
  const int64_t out = plan.bottleneck ? planes * 4 : planes;
  if (stride == 1 && in == out) return;
  downsample_.emplace(tensors, name + ".downsample.0", name + ".downsample.1",
                      ConvolutionNorm::Shape{in, out, 1, stride});
}

at::Tensor Block::Forward(const at::Tensor& x_BCHW, Mode mode) const {
  at::Tensor y_BCHW = path_.front().Forward(x_BCHW, mode);
  for (size_t i = 1; i < path_.size(); ++i) y_BCHW = path_[i].Forward(y_BCHW.relu_(), mode);
  y_BCHW.add_(downsample_ ? downsample_->Forward(x_BCHW, mode) : x_BCHW);
  return y_BCHW.relu_();
}

Stage::Stage(TensorList& tensors, const std::string& prefix, const ResnetPlan& plan, int stage) {
  const std::string name = prefix + "layer" + std::to_string(stage);
  const int64_t planes = plan.width << (stage - 1);
  int64_t in = stage == 1 ? plan.width : plan.ChannelsAfter(stage - 1);
  for (int block = 0; block < plan.blocks[stage - 1]; ++block) {
    const int64_t stride = stage > 1 && block == 0 ? 2 : 1;
    blocks_.emplace_back(tensors, name + "." + std::to_string(block), plan, in, planes, stride);
    in = plan.ChannelsAfter(stage);
  }
}

at::Tensor Stage::Forward(at::Tensor x_BCHW, Mode mode) const {
  for (const Block& block : blocks_) x_BCHW = block.Forward(x_BCHW, mode);
  return x_BCHW;
}

Trunk::Trunk(TensorList& tensors, const ResnetPlan& plan)
    : stem_(tensors, "trunk.conv1", "trunk.bn1", {3, plan.width, 7, 2}),
      stages_{Stage(tensors, "trunk.", plan, 1), Stage(tensors, "trunk.", plan, 2),
              Stage(tensors, "trunk.", plan, 3)} {}

at::Tensor Trunk::Stem(const at::Tensor& x_B3HW, Mode mode) const {
  return at::max_pool2d(stem_.Forward(x_B3HW, mode).relu_(), {3, 3}, {2, 2}, {1, 1});
}

at::Tensor Trunk::Forward(const at::Tensor& x_B3HW, Mode mode) const {
  at::Tensor x_BCHW = Stem(x_B3HW, mode);
  for (const Stage& stage : stages_) x_BCHW = stage.Forward(x_BCHW, mode);
  return x_BCHW;
}

Branch::Branch(TensorList& tensors, const std::string& letter, const ResnetPlan& plan,
               const NetworkOptions& options)
    : layer4_(tensors, letter + ".", plan, 4),
      head_(MakeHead(tensors, letter + ".head", plan.ChannelsAfter(4), options)) {}

at::Tensor Branch::Pool(const at::Tensor& x_BCHW) {
  const at::Tensor wide_BCHW =
      x_BCHW.scalar_type() == at::kBFloat16 ? x_BCHW.to(at::kFloat) : x_BCHW;
  return at::adaptive_avg_pool2d(wide_BCHW, {1, 1}).flatten(1);
}

at::Tensor Branch::Head(at::Tensor x_BC) const {
  for (size_t i = 0; i + 1 < head_.size(); ++i) x_BC = head_[i].Forward(x_BC).relu_();
  return head_.back().Forward(x_BC);
}

}  // namespace ltml::model
