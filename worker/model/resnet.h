#pragma once

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/model/layers.h"

namespace ltml::model {

// He et al. 2016, in the form of torchvision: a bottleneck strides in its 3x3 convolution.
// Shapes: B images, C channels, H x W.
struct ResnetPlan {
  bool bottleneck = false;
  std::array<int, 4> blocks = {};  // of layer1..layer4
  int64_t width = 64;              // channels after the stem; stage n works with width * 2^(n-1)

  // Channels behind stage 1..4.
  int64_t ChannelsAfter(int stage) const { return (width << (stage - 1)) * (bottleneck ? 4 : 1); }
};
ResnetPlan PlanOf(Architecture architecture, int width);

class Block {
 public:
  Block(TensorList& tensors, const std::string& name, const ResnetPlan& plan, int64_t in,
        int64_t planes, int64_t stride);
  at::Tensor Forward(const at::Tensor& x_BCHW, Mode mode) const;
  const std::vector<ConvolutionNorm>& path() const { return path_; }
  const std::optional<ConvolutionNorm>& downsample() const { return downsample_; }

 private:
  std::vector<ConvolutionNorm> path_;
  std::optional<ConvolutionNorm> downsample_;
};

// layer1..layer4, named `prefix`layerN.
class Stage {
 public:
  Stage(TensorList& tensors, const std::string& prefix, const ResnetPlan& plan, int stage);
  at::Tensor Forward(at::Tensor x_BCHW, Mode mode) const;
  const std::vector<Block>& blocks() const { return blocks_; }

 private:
  std::vector<Block> blocks_;
};

// Stem .. layer3, named trunk.*.
class Trunk {
 public:
  Trunk(TensorList& tensors, const ResnetPlan& plan);
  at::Tensor Stem(const at::Tensor& x_B3HW, Mode mode) const;
  at::Tensor Forward(const at::Tensor& x_B3HW, Mode mode) const;
  const ConvolutionNorm& stem() const { return stem_; }
  const std::array<Stage, 3>& stages() const { return stages_; }

 private:
  ConvolutionNorm stem_;
  std::array<Stage, 3> stages_;
};

// layer4, global average pooling and an MLP head with rectifiers between its layers, named
// `letter`.layer4.* and `letter`.head.*.
class Branch {
 public:
  Branch(TensorList& tensors, const std::string& letter, const ResnetPlan& plan,
         const NetworkOptions& options);
  // [B, width * 4 ..] -> logits [B, K].
  at::Tensor Forward(const at::Tensor& features_BCHW, Mode mode) const;
  const Stage& layer4() const { return layer4_; }
  static at::Tensor Pool(const at::Tensor& x_BCHW);
  at::Tensor Head(at::Tensor x_BC) const;
  // Of the last layer, [K].
  const at::Tensor& output_bias() const { return head_.back().bias(); }

 private:
  Stage layer4_;
  std::vector<Linear> head_;
};

}  // namespace ltml::model
