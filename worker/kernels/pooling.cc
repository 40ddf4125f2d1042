#include "worker/kernels/pooling.h"

#include <algorithm>

#include "worker/kernels/convolution.h"
#include "worker/kernels/parallel.h"

namespace ltml::kernels {
namespace {

int GroupOf(const NormShape& shape, int image) {
  int group = 0;
  for (int end = shape.groups[0]; image >= end; end += shape.groups[++group]) {
  }
  return group;
}

}  // namespace

StemPool::StemPool(const PoolShape& shape, const Isa& isa)
    : shape_(shape),
      isa_(isa),
      padded_(PaddedChannels(shape.channels)),
      from_(int64_t{shape.images} * shape.out_height() * shape.out_width() * padded_) {}

void StemPool::Forward(const float* y, const BatchNorm& norm, float* z) {
  const int64_t in_row = int64_t{shape_.in_width} * padded_;
  const int64_t out_row = int64_t{shape_.out_width()} * padded_;
  ForEach(int64_t{shape_.images} * shape_.out_height(), [&](int64_t i) {
    const int image = static_cast<int>(i / shape_.out_height());
    const int out_y = static_cast<int>(i % shape_.out_height());
    const int group = GroupOf(norm.shape(), image);
    PoolRow row{.channels = padded_,
                .in_width = shape_.in_width,
                .out_width = shape_.out_width(),
                .scale = norm.scale(group),
                .shift = norm.shift(group),
                .z = z + i * out_row,
                .from = from_.data() + i * out_row};
    for (int k = 0; k < 3; ++k) {
      const int in_y = 2 * out_y + k - 1;
      if (in_y < 0 || in_y >= shape_.in_height) continue;
      row.rows[k] = y + (int64_t{image} * shape_.in_height + in_y) * in_row;
    }
    isa_.pool_row(row);
  });
}

void StemPool::Backward(const float* dz, float* g) const {
  const int64_t in_row = int64_t{shape_.in_width} * padded_;
  const int64_t out_row = int64_t{shape_.out_width()} * padded_;
  ForEach(int64_t{shape_.images} * shape_.in_height, [&](int64_t i) {
    const int64_t image = i / shape_.in_height;
    const int in_y = static_cast<int>(i % shape_.in_height);
    PoolGradientRow row{.channels = padded_,
                        .in_width = shape_.in_width,
                        .out_width = shape_.out_width(),
                        .g = g + i * in_row};
    // Rows of z that read row in_y: in_y / 2 and, for an odd row, the one after.
    for (int r = 0; r < 1 + in_y % 2; ++r) {
      const int out_y = in_y / 2 + r;
      if (out_y >= shape_.out_height()) continue;
      const int64_t at = (image * shape_.out_height() + out_y) * out_row;
      row.dz[r] = dz + at;
      row.from[r] = from_.data() + at;
      row.kernel_row[r] = in_y + 1 - 2 * out_y;
    }
    isa_.pool_gradient_row(row);
  });
}

void MeanPool(const float* z, int images, int64_t pixels, int channels, float* mean) {
  const int padded = PaddedChannels(channels);
  ForEach(images, [&](int64_t n) {
    float* const to = mean + n * channels;
    std::fill_n(to, channels, 0.0f);
    for (int64_t p = 0; p < pixels; ++p) {
      const float* const from = z + (n * pixels + p) * padded;
      for (int c = 0; c < channels; ++c) to[c] += from[c];
    }
    for (int c = 0; c < channels; ++c) to[c] /= static_cast<float>(pixels);
  });
}

void MeanPoolBackward(const float* dmean, int images, int64_t pixels, int channels, float* dz) {
  const int padded = PaddedChannels(channels);
  ForEach(images, [&](int64_t n) {
    for (int64_t p = 0; p < pixels; ++p) {
      float* const to = dz + (n * pixels + p) * padded;
      for (int c = 0; c < channels; ++c) {
        to[c] = dmean[n * channels + c] / static_cast<float>(pixels);
      }
      std::fill(to + channels, to + padded, 0.0f);
    }
  });
}

}  // namespace ltml::kernels
