#include "worker/data/render.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "common/base/status_macros.h"

namespace ltml::data {
namespace {

// Beyond any real picture; keeps the scaled long side of an extreme strip within int.
constexpr int64_t kMaxScaledSide = int64_t{1} << 30;

int RoundToInt(double value) { return static_cast<int>(std::nearbyint(value)); }

int ScaledSide(int side, int shorter, int scaled_shorter) {
  return static_cast<int>(std::min(int64_t{scaled_shorter} * side / shorter, kMaxScaledSide));
}

// Where the crop lies in a part, in the part's pixels.
image::Area AreaIn(const image::Decoder::Part& part, int scale, image::Box crop) {
  const double unit = scale;
  return {crop.left / unit - part.left, crop.top / unit - part.top, crop.right / unit - part.left,
          crop.bottom / unit - part.top};
}

}  // namespace

absl::Status Renderer::Training(const image::Decoder::Part& part, int scale,
                                const Augmentation& augmentation, std::span<float> values) {
  const image::Resizer::Plan plan{AreaIn(part, scale, augmentation.crop),
                                  size_,
                                  size_,
                                  {0, 0, size_, size_},
                                  augmentation.flip};
  LTML_ASSIGN_OR_RETURN(const std::span<const uint32_t> pixels, resizer_.Resize(part.view, plan));
  ToTensor(pixels, augmentation.jitter, layout_, values);
  return absl::OkStatus();
}

absl::Status Renderer::Evaluation(const image::View& picture, std::span<float> values) {
  const int shorter = std::min(picture.width, picture.height);
  const int scaled = std::max(size_, RoundToInt(size_ * 256.0 / 224.0));
  const int width = ScaledSide(picture.width, shorter, scaled);
  const int height = ScaledSide(picture.height, shorter, scaled);
  const int left = RoundToInt((width - size_) / 2.0), top = RoundToInt((height - size_) / 2.0);
  const image::Area all{0, 0, static_cast<double>(picture.width),
                        static_cast<double>(picture.height)};
  LTML_ASSIGN_OR_RETURN(
      const std::span<const uint32_t> pixels,
      resizer_.Resize(picture, {all, width, height, {left, top, left + size_, top + size_}}));
  ToTensor(pixels, {}, layout_, values);
  return absl::OkStatus();
}

}  // namespace ltml::data
