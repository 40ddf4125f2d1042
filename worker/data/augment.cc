#include "worker/data/augment.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "common/base/status_macros.h"

namespace ltml::data {
namespace {

constexpr int kCropTries = 10;
constexpr std::array<float, 3> kGrey = {0.299f, 0.587f, 0.114f};
constexpr std::array<double, 3> kMean = {0.485, 0.456, 0.406};
constexpr std::array<double, 3> kStd = {0.229, 0.224, 0.225};
// Beyond any real picture; keeps the scaled long side of an extreme strip within int.
constexpr int64_t kMaxScaledSide = int64_t{1} << 30;

int RoundToInt(double value) { return static_cast<int>(std::nearbyint(value)); }

image::Box BoxAt(int left, int top, int width, int height) {
  return {left, top, left + width, top + height};
}

std::optional<image::Box> TryCrop(const AugmentOptions& options, int width, int height,
                                  PositionRandom& random) {
  const double area = static_cast<double>(width) * height *
                      random.Uniform(options.crop_scale[0], options.crop_scale[1]);
  const double ratio =
      std::exp(random.Uniform(std::log(options.crop_ratio[0]), std::log(options.crop_ratio[1])));
  const double crop_width = std::nearbyint(std::sqrt(area * ratio));
  const double crop_height = std::nearbyint(std::sqrt(area / ratio));
  if (crop_width < 1 || crop_height < 1 || crop_width > width || crop_height > height) {
    return std::nullopt;
  }
  const int w = static_cast<int>(crop_width), h = static_cast<int>(crop_height);
  const int top = random.Below(height - h + 1);
  const int left = random.Below(width - w + 1);
  return BoxAt(left, top, w, h);
}

image::Box CentreCrop(const AugmentOptions& options, int width, int height) {
  const double ratio = static_cast<double>(width) / height;
  int w = width, h = height;
  if (ratio < options.crop_ratio[0]) {
    h = std::clamp(RoundToInt(width / options.crop_ratio[0]), 1, height);
  } else if (ratio > options.crop_ratio[1]) {
    w = std::clamp(RoundToInt(height * options.crop_ratio[1]), 1, width);
  }
  return BoxAt((width - w) / 2, (height - h) / 2, w, h);
}

image::Box DrawCrop(const AugmentOptions& options, int width, int height, PositionRandom& random) {
  for (int i = 0; i < kCropTries; ++i) {
    if (const auto box = TryCrop(options, width, height, random)) return *box;
  }
  return CentreCrop(options, width, height);
}

std::array<JitterStep, 3> DrawJitter(double strength, PositionRandom& random) {
  std::array<JitterStep, 3> steps = {
      {{Jitter::kBrightness}, {Jitter::kContrast}, {Jitter::kSaturation}}};
  for (JitterStep& step : steps) {
    step.factor = static_cast<float>(random.Uniform(std::max(0.0, 1 - strength), 1 + strength));
  }
  std::swap(steps[0], steps[random.Below(3)]);
  std::swap(steps[1], steps[1 + random.Below(2)]);
  return steps;
}

struct Planes {
  float* red;
  float* green;
  float* blue;
  size_t size;
};

Planes PlanesOf(std::span<float> pixels) {
  const size_t size = pixels.size() / 3;
  return {pixels.data(), pixels.data() + size, pixels.data() + 2 * size, size};
}

// f v + (1 - f) other, clamped.
float Blend(float value, float other, float factor) {
  return std::clamp(factor * value + (1 - factor) * other, 0.0f, 255.0f);
}

float GreyOf(const Planes& planes, size_t i) {
  return kGrey[0] * planes.red[i] + kGrey[1] * planes.green[i] + kGrey[2] * planes.blue[i];
}

float MeanGrey(const Planes& planes) {
  double sum = 0;
  for (size_t i = 0; i < planes.size; ++i) sum += GreyOf(planes, i);
  return static_cast<float>(sum / static_cast<double>(planes.size));
}

void BlendWith(float other, float factor, std::span<float> pixels) {
  for (float& value : pixels) value = Blend(value, other, factor);
}

void Saturate(float factor, const Planes& planes) {
  for (size_t i = 0; i < planes.size; ++i) {
    const float grey = GreyOf(planes, i);
    planes.red[i] = Blend(planes.red[i], grey, factor);
    planes.green[i] = Blend(planes.green[i], grey, factor);
    planes.blue[i] = Blend(planes.blue[i], grey, factor);
  }
}

int ScaledSide(int side, int shorter, int scaled_shorter) {
  return static_cast<int>(std::min(int64_t{scaled_shorter} * side / shorter, kMaxScaledSide));
}

}  // namespace

Augmentation DrawAugmentation(const AugmentOptions& options, int width, int height,
                              PositionRandom& random) {
  Augmentation augmentation;
  augmentation.flip = random.Uniform(0, 1) < options.flip;
  augmentation.jitter = DrawJitter(options.jitter, random);
  augmentation.crop = DrawCrop(options, width, height, random);
  return augmentation;
}

void ApplyJitter(std::span<const JitterStep> steps, std::span<float> pixels_3HW) {
  const Planes planes = PlanesOf(pixels_3HW);
  for (const JitterStep& step : steps) {
    if (step.factor == 1) continue;
    switch (step.kind) {
      case Jitter::kBrightness:
        BlendWith(0, step.factor, pixels_3HW);
        break;
      case Jitter::kContrast:
        BlendWith(MeanGrey(planes), step.factor, pixels_3HW);
        break;
      case Jitter::kSaturation:
        Saturate(step.factor, planes);
        break;
    }
  }
}

void ToPlanes(const image::Image& image, bool flip, std::span<float> pixels_3HW) {
  const Planes planes = PlanesOf(pixels_3HW);
  const std::ptrdiff_t step = flip ? -3 : 3;
  size_t to = 0;
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* from = image.rgb.data() + size_t{3} * image.width * y;
    if (flip) from += size_t{3} * (image.width - 1);
    for (int x = 0; x < image.width; ++x, from += step, ++to) {
      planes.red[to] = from[0];
      planes.green[to] = from[1];
      planes.blue[to] = from[2];
    }
  }
}

void Normalise(std::span<float> pixels_3HW) {
  const size_t size = pixels_3HW.size() / 3;
  for (size_t c = 0; c < 3; ++c) {
    const auto scale = static_cast<float>(1 / (255 * kStd[c]));
    const auto shift = static_cast<float>(-kMean[c] / kStd[c]);
    for (float& value : pixels_3HW.subspan(c * size, size)) value = value * scale + shift;
  }
}

absl::Status RenderTraining(const image::Image& image, const Augmentation& augmentation, int size,
                            std::span<float> pixels_3HW) {
  LTML_ASSIGN_OR_RETURN(const image::Image resized,
                        image::Resize(image, augmentation.crop, size, size));
  ToPlanes(resized, augmentation.flip, pixels_3HW);
  ApplyJitter(augmentation.jitter, pixels_3HW);
  Normalise(pixels_3HW);
  return absl::OkStatus();
}

absl::Status RenderEvaluation(const image::Image& image, int size, std::span<float> pixels_3HW) {
  const int shorter = std::min(image.width, image.height);
  const int scaled = std::max(size, RoundToInt(size * 256.0 / 224.0));
  const int width = ScaledSide(image.width, shorter, scaled);
  const int height = ScaledSide(image.height, shorter, scaled);
  const int left = RoundToInt((width - size) / 2.0), top = RoundToInt((height - size) / 2.0);
  LTML_ASSIGN_OR_RETURN(const image::Image resized,
                        image::ResizeWindow(image, width, height, BoxAt(left, top, size, size)));
  ToPlanes(resized, false, pixels_3HW);
  Normalise(pixels_3HW);
  return absl::OkStatus();
}

}  // namespace ltml::data
