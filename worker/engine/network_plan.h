#pragma once

#include <vector>

namespace ltml::engine {

// A convolution without bias and the batch norm behind it.
struct LayerShape {
  int in_channels = 0, out_channels = 0;
  int kernel = 1, stride = 1;
};

// A residual block: rectified layers one after the other, the last one joined by the shortcut.
// Numbers of layers.
struct BlockPlan {
  std::vector<int> path;
  int downsample = -1;  // of the shortcut; -1: the block's input itself
};

// Layers in order of execution.  Layer 0 is the stem: 7 x 7 on images of 3 channels, stride 2, then
// the maximum over 3 x 3 pixels, stride 2.  Every branch begins at the trunk's output and ends in
// the mean over its pixels.
struct NetworkPlan {
  std::vector<LayerShape> layers;
  std::vector<BlockPlan> trunk;
  std::vector<std::vector<BlockPlan>> branches;  // one or two

  int feature_channels() const { return layers[branches.front().back().path.back()].out_channels; }
};

}  // namespace ltml::engine
