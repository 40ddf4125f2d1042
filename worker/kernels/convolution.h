#pragma once

#include <cstdint>
#include <memory>

#include "worker/kernels/isa.h"
#include "worker/kernels/memory.h"

namespace ltml::kernels {

// Maps are [images][height][width][channels] in float32 ("channels last").  Each pixel is padded
// with zeros to a multiple of kPanel channels, and kSlack floats behind a map can be read.
constexpr int PaddedChannels(int channels) { return (channels + kPanel - 1) / kPanel * kPanel; }

struct ConvolutionShape {
  int images = 0;
  int in_channels = 0, out_channels = 0;
  int in_height = 0, in_width = 0;
  int kernel_height = 1, kernel_width = 1;
  int stride = 1;
  int padding = 0;
  // Floats from a pixel of x to the next, and from a row to the next.  in_channels may reach into
  // the pixels that follow: a whole row of a kernel is one tap then (StemShape).
  int in_pitch = 0, in_row = 0;

  int out_height() const { return (in_height + 2 * padding - kernel_height) / stride + 1; }
  int out_width() const { return (in_width + 2 * padding - kernel_width) / stride + 1; }
  int taps() const { return kernel_height * kernel_width; }
  int64_t out_pixels() const { return int64_t{out_height()} * out_width(); }  // of an image
  int64_t in_image() const { return int64_t{in_height} * in_row; }
  int64_t out_image() const { return out_pixels() * PaddedChannels(out_channels); }
  int64_t in_floats() const { return images * in_image(); }
  int64_t out_floats() const { return images * out_image(); }
  int64_t weights() const { return int64_t{taps()} * in_channels * out_channels; }
  bool operator==(const ConvolutionShape&) const = default;
};

// A square kernel of odd size over padded maps, as residual networks have them.
ConvolutionShape SquareShape(int images, int in_channels, int out_channels, int height, int width,
                             int kernel, int stride);

// The 7 x 7 convolution of stride 2 at the start of a residual network, over images of 3 channels
// without padding channels, which lie in a frame of 3 zero pixels on every side: x is
// [images][height + 6][width + 6][3].  Each row of the kernel is one tap of 21 floats.
ConvolutionShape StemShape(int images, int out_channels, int height, int width);

// The three passes of a two-dimensional convolution without bias, as implicit matrix products in
// the manner of Dukhan 2019, "The indirect convolution algorithm"; here the pixels of the output
// are also grouped by the taps of the kernel that fall inside the map, so that nothing is
// multiplied by padding.
//
// Weights w and dw are [taps][in][out], unpadded.  Padding channels of x and dy must be zero, those
// of y and dx become zero.  Every output is one chain of fused multiply-adds in an order that
// follows from the shape alone: the same bits for any number of threads and any instruction set.
// Threads are OpenMP's of the caller.  One object is for one call at a time.
class Convolution {
 public:
  // `scratch` must outlive the object; operations that run one after the other share it.
  Convolution(const ConvolutionShape& shape, const Isa& isa, Scratch& scratch);
  ~Convolution();
  Convolution(Convolution&& other) noexcept;

  const ConvolutionShape& shape() const;
  // y = x * w.
  void Forward(const float* x, const float* w, float* y);
  // dx = dy * w^T, or dx += where `accumulate`.  Needs in_pitch == PaddedChannels(in_channels).
  void BackwardData(const float* dy, const float* w, float* dx, bool accumulate);
  // dw = sum over images and pixels of x dy.
  void BackwardWeights(const float* x, const float* dy, float* dw);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace ltml::kernels
