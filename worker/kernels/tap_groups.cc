#include "worker/kernels/tap_groups.h"

#include <map>
#include <utility>

namespace ltml::kernels {
namespace {

// Sorts the pixels of a map by their taps.  `source(y, x, kh, kw)` is the offset that a tap reads
// from, or -1.
template <typename Source>
std::vector<TapGroup> Group(int height, int width, int pitch, const ConvolutionShape& shape,
                            const Source& source) {
  std::map<uint64_t, TapGroup> groups;  // by the set of taps
  std::vector<int32_t> offsets;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint64_t taps = 0;
      offsets.clear();
      for (int tap = 0; tap < shape.taps(); ++tap) {
        const int32_t offset = source(y, x, tap / shape.kernel_width, tap % shape.kernel_width);
        if (offset < 0) continue;
        taps |= uint64_t{1} << tap;
        offsets.push_back(offset);
      }
      TapGroup& group = groups[taps];
      group.out_offsets.push_back((y * width + x) * pitch);
      group.in_offsets.insert(group.in_offsets.end(), offsets.begin(), offsets.end());
    }
  }
  std::vector<TapGroup> result;
  for (auto& [taps, group] : groups) {
    for (int tap = 0; tap < shape.taps(); ++tap) {
      if ((taps >> tap & 1) != 0) group.taps.push_back(tap);
    }
    result.push_back(std::move(group));
  }
  return result;
}

}  // namespace

TapAxis RowAxis(const ConvolutionShape& shape) {
  return {shape.in_height, shape.out_height(), shape.stride, shape.padding};
}
TapAxis ColumnAxis(const ConvolutionShape& shape) {
  return {shape.in_width, shape.out_width(), shape.stride, shape.padding};
}

std::vector<TapGroup> ForwardGroups(const ConvolutionShape& shape) {
  const TapAxis rows = RowAxis(shape), columns = ColumnAxis(shape);
  return Group(shape.out_height(), shape.out_width(), PaddedChannels(shape.out_channels), shape,
               [&](int y, int x, int kh, int kw) {
                 const int in_y = rows.InputOf(y, kh), in_x = columns.InputOf(x, kw);
                 if (in_y < 0 || in_x < 0) return -1;
                 return in_y * shape.in_row + in_x * shape.in_pitch;
               });
}

std::vector<TapGroup> BackwardGroups(const ConvolutionShape& shape) {
  const TapAxis rows = RowAxis(shape), columns = ColumnAxis(shape);
  const int pitch = PaddedChannels(shape.out_channels);
  return Group(shape.in_height, shape.in_width, shape.in_pitch, shape,
               [&](int y, int x, int kh, int kw) {
                 const int out_y = rows.OutputOf(y, kh), out_x = columns.OutputOf(x, kw);
                 if (out_y < 0 || out_x < 0) return -1;
                 return (out_y * columns.out + out_x) * pitch;
               });
}

}  // namespace ltml::kernels
