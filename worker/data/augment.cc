#include "worker/data/augment.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace ltml::data {
namespace {

constexpr int kCropTries = 10;

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

}  // namespace

Augmentation DrawAugmentation(const AugmentOptions& options, int width, int height,
                              PositionRandom& random) {
  Augmentation augmentation;
  augmentation.flip = random.Uniform(0, 1) < options.flip;
  augmentation.jitter = DrawJitter(options.jitter, random);
  augmentation.crop = DrawCrop(options, width, height, random);
  return augmentation;
}

}  // namespace ltml::data
