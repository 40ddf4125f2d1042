#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "common/image/image.h"
#include "worker/data/random.h"

namespace ltml::data {

struct AugmentOptions {
  std::array<double, 2> crop_scale = {0.08, 1.0};             // share of the image's area
  std::array<double, 2> crop_ratio = {3.0 / 4.0, 4.0 / 3.0};  // width / height
  double flip = 0.5;                                          // chance of a mirror image
  double jitter = 0.4;                                        // factors in [1 - jitter, 1 + jitter]
};

enum class Jitter { kBrightness, kContrast, kSaturation };
struct JitterStep {
  Jitter kind = Jitter::kBrightness;
  float factor = 1;
};

// What happens to one drawn image, in this order: cut out `crop`, resize, mirror, jitter.
struct Augmentation {
  image::Box crop;
  bool flip = false;
  std::array<JitterStep, 3> jitter = {};
};

// Draws the changes for an image of width x height.  Crop as torchvision's RandomResizedCrop: ten
// tries of area uniform in crop_scale and ratio log-uniform in crop_ratio, then the largest centred
// box whose ratio is allowed.  Jitter: one factor of each kind, uniform in
// [max(0, 1 - jitter), 1 + jitter], in random order.
Augmentation DrawAugmentation(const AugmentOptions& options, int width, int height,
                              PositionRandom& random);

// Values of an image in [0, 255] by plane, changed in place; results are clamped to [0, 255].
//   brightness: f v;  contrast: f v + (1 - f) mean(grey);  saturation: f v + (1 - f) grey,
// with grey = 0.299 R + 0.587 G + 0.114 B.  As torchvision's ColorJitter, without its rounding to
// 8 bits in between.
void ApplyJitter(std::span<const JitterStep> steps, std::span<float> pixels_3HW);

// The pixels as float planes in [0, 255], mirrored if asked.
void ToPlanes(const image::Image& image, bool flip, std::span<float> pixels_3HW);

// In place: (v / 255 - mean_c) / std_c with ImageNet's mean (0.485, 0.456, 0.406) and standard
// deviation (0.229, 0.224, 0.225).
void Normalise(std::span<float> pixels_3HW);

// All of it: a training image of size x size pixels, pixels_3HW of 3 * size * size values.
absl::Status RenderTraining(const image::Image& image, const Augmentation& augmentation, int size,
                            std::span<float> pixels_3HW);

// An evaluation image: short side to round(size * 256 / 224), centre size x size, normalised.
absl::Status RenderEvaluation(const image::Image& image, int size, std::span<float> pixels_3HW);

}  // namespace ltml::data
