#pragma once

#include <cstdint>
#include <vector>

#include "worker/kernels/convolution.h"

namespace ltml::kernels {

// Pixels of a map that are computed from the same taps, anywhere in the image.
struct TapGroup {
  std::vector<int> taps;             // kh * kernel_width + kw, rising
  std::vector<int32_t> out_offsets;  // of each pixel, in floats from the image's start
  std::vector<int32_t> in_offsets;   // [pixel][tap], likewise in the other map

  int64_t pixels() const { return static_cast<int64_t>(out_offsets.size()); }
};

// Along one axis of a convolution: which output meets which input at a tap; -1 for none.
struct TapAxis {
  int in = 0, out = 0, stride = 1, padding = 0;

  int InputOf(int output, int tap) const {
    const int input = output * stride + tap - padding;
    return input >= 0 && input < in ? input : -1;
  }
  int OutputOf(int input, int tap) const {
    const int shifted = input + padding - tap;
    if (shifted < 0 || shifted % stride != 0) return -1;
    return shifted / stride < out ? shifted / stride : -1;
  }
};
TapAxis RowAxis(const ConvolutionShape& shape);
TapAxis ColumnAxis(const ConvolutionShape& shape);

// For every pixel of y the pixels of x that it is made from.
std::vector<TapGroup> ForwardGroups(const ConvolutionShape& shape);
// For every pixel of dx the pixels of dy that it is made from; pixels without any are a group
// without taps.
std::vector<TapGroup> BackwardGroups(const ConvolutionShape& shape);

}  // namespace ltml::kernels
