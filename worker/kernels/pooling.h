#pragma once

#include <cstdint>
#include <vector>

#include "worker/kernels/batch_norm.h"
#include "worker/kernels/isa.h"

namespace ltml::kernels {

struct PoolShape {
  int images = 0;
  int channels = 0;
  int in_height = 0, in_width = 0;

  int out_height() const { return (in_height - 1) / 2 + 1; }
  int out_width() const { return (in_width - 1) / 2 + 1; }
};

// The end of a residual network's stem in one pass: batch norm, rectifier, and the maximum over
// 3 x 3 pixels, stride 2, padding 1.  The normalised map itself is never stored.
class StemPool {
 public:
  StemPool(const PoolShape& shape, const Isa& isa);

  // z = maximum of max(0, norm(y)).  Remembers where each came from, for Backward.
  void Forward(const float* y, const BatchNorm& norm, float* z);
  // g = gradient of norm(y) behind the rectifier.
  void Backward(const float* dz, float* g) const;

 private:
  const PoolShape shape_;
  const Isa& isa_;
  const int padded_;
  std::vector<uint8_t> from_;  // [z]: tap, or kNowhere where the rectifier stopped all
};

// mean[n][c] = mean over the pixels of image n; c < channels, unpadded.
void MeanPool(const float* z, int images, int64_t pixels, int channels, float* mean);
// dz[n][p][c] = dmean[n][c] / pixels.
void MeanPoolBackward(const float* dmean, int images, int64_t pixels, int channels, float* dz);

}  // namespace ltml::kernels
