#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/image/filter.h"
#include "common/image/image.h"

namespace ltml::image {

// Pixels in somebody else's memory, as in Image; the rows are `stride` bytes apart.
struct View {
  const uint8_t* rgb = nullptr;
  int width = 0;
  int height = 0;
  size_t stride = 0;

  const uint8_t* row(int y) const { return rgb + stride * static_cast<size_t>(y); }
};

// The pixels of an image; InvalidArgument when its sizes do not fit together.
absl::StatusOr<View> ViewOf(const Image& image);

// Pixels [left, right) x [top, bottom), also parts of them.
struct Area {
  double left = 0, top = 0, right = 0, bottom = 0;
};

// Antialiased bilinear resize as image.h says, into memory that is reused: nothing is allocated for
// a picture no larger than those before it.  For one thread at a time.
class Resizer {
 public:
  // What to make of a picture: the pixels of `window` of `area` resized to width x height, mirrored
  // left to right if asked.
  struct Plan {
    Area area;
    int width = 0, height = 0;
    Box window;
    bool mirror = false;
  };

  // Pixels of four bytes R, G, B, 0, row by row without padding; valid until the next call.
  // InvalidArgument when the area is empty or not within the view, the window not within the
  // output, or the output has more than 178 million pixels.
  absl::StatusOr<std::span<const uint32_t>> Resize(const View& view, const Plan& plan);

 private:
  void ResizeRows(const View& view, int first_row, int rows, bool mirror);
  const uint8_t* SafeRow(const View& view, int y);

  Filter across_, down_;
  std::vector<uint8_t> copied_rows_;
  std::vector<uint32_t> between_;
  std::vector<uint32_t> out_;
};

}  // namespace ltml::image
