#include "worker/kernels/convolution.h"

#include <algorithm>
#include <optional>

#include "worker/kernels/gather_pass.h"
#include "worker/kernels/weight_pass.h"

namespace ltml::kernels {
namespace {

GatherMaps ForwardMaps(const ConvolutionShape& shape) {
  return {.images = shape.images,
          .taps = shape.taps(),
          .depth = shape.in_channels,
          .panels = PaddedChannels(shape.out_channels) / kPanel,
          .in_image = shape.in_image(),
          .out_image = shape.out_image()};
}

GatherMaps BackwardMaps(const ConvolutionShape& shape) {
  return {.images = shape.images,
          .taps = shape.taps(),
          .depth = shape.out_channels,
          .panels = PaddedChannels(shape.in_channels) / kPanel,
          .in_image = shape.out_image(),
          .out_image = shape.in_image()};
}

// The lines of panels that the weights fill in part.
void PackEdge(const float* from, int64_t columns, int depth, int used, float* to) {
  for (int i = 0; i < depth; ++i, from += columns, to += kPanel) {
    std::copy_n(from, used, to);
    std::fill_n(to + used, kPanel - used, 0.0f);
  }
}

}  // namespace

ConvolutionShape SquareShape(int images, int in_channels, int out_channels, int height, int width,
                             int kernel, int stride) {
  return {.images = images,
          .in_channels = in_channels,
          .out_channels = out_channels,
          .in_height = height,
          .in_width = width,
          .kernel_height = kernel,
          .kernel_width = kernel,
          .stride = stride,
          .padding = (kernel - 1) / 2,
          .in_pitch = PaddedChannels(in_channels),
          .in_row = width * PaddedChannels(in_channels)};
}

ConvolutionShape StemShape(int images, int out_channels, int height, int width) {
  constexpr int kFrame = 3, kColours = 3, kKernel = 7;
  return {.images = images,
          .in_channels = kKernel * kColours,
          .out_channels = out_channels,
          .in_height = height + 2 * kFrame,
          .in_width = width,
          .kernel_height = kKernel,
          .kernel_width = 1,
          .stride = 2,
          .padding = 0,
          .in_pitch = kColours,
          .in_row = (width + 2 * kFrame) * kColours};
}

struct Convolution::Implementation {
  Implementation(const ConvolutionShape& s, const Isa& i, Scratch& memory)
      : shape(s),
        isa(i),
        scratch(memory),
        forward(ForwardMaps(s), ForwardGroups(s), i, memory),
        weights(s, i, memory) {}

  const ConvolutionShape shape;
  const Isa& isa;
  Scratch& scratch;
  GatherPass forward;
  WeightPass weights;
  std::optional<GatherPass> backward;  // when it is first asked for
};

Convolution::Convolution(const ConvolutionShape& shape, const Isa& isa, Scratch& scratch)
    : implementation_(std::make_unique<Implementation>(shape, isa, scratch)) {}
Convolution::~Convolution() = default;
Convolution::Convolution(Convolution&& other) noexcept = default;
const ConvolutionShape& Convolution::shape() const { return implementation_->shape; }

void Convolution::Forward(const float* x, const float* w, float* y) {
  const ConvolutionShape& shape = implementation_->shape;
  const Isa& isa = implementation_->isa;
  const auto pack = [&](int tap, int first_panel, int panels, int64_t pitch, float* to) {
    const int columns = shape.out_channels, first = first_panel * kPanel;
    const float* const from = w + int64_t{tap} * shape.in_channels * columns + first;
    const int whole = std::min(panels, (columns - first) / kPanel);
    isa.pack_panels(from, columns, shape.in_channels, whole, pitch, to);
    if (whole == panels) return;
    PackEdge(from + whole * kPanel, columns, shape.in_channels, columns - first - whole * kPanel,
             to + whole * pitch);
  };
  implementation_->forward.Run(x, pack, y, false);
}

void Convolution::BackwardData(const float* dy, const float* w, float* dx, bool accumulate) {
  const ConvolutionShape& shape = implementation_->shape;
  const Isa& isa = implementation_->isa;
  const auto pack = [&](int tap, int first_panel, int panels, int64_t pitch, float* to) {
    for (int p = 0; p < panels; ++p) {
      const int channel = (first_panel + p) * kPanel;
      const float* const from =
          w + (int64_t{tap} * shape.in_channels + channel) * shape.out_channels;
      isa.transpose(from, shape.out_channels, shape.out_channels,
                    std::min(kPanel, shape.in_channels - channel), to + p * pitch);
    }
  };
  std::optional<GatherPass>& pass = implementation_->backward;
  if (!pass)
    pass.emplace(BackwardMaps(shape), BackwardGroups(shape), isa, implementation_->scratch);
  pass->Run(dy, pack, dx, accumulate);
}

void Convolution::BackwardWeights(const float* x, const float* dy, float* dw) {
  implementation_->weights.Run(x, dy, dw);
}

}  // namespace ltml::kernels
