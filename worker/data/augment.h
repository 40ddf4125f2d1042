#pragma once

#include <array>

#include "common/image/image.h"
#include "worker/data/random.h"
#include "worker/data/to_tensor.h"

namespace ltml::data {

struct AugmentOptions {
  std::array<double, 2> crop_scale = {0.08, 1.0};             // share of the image's area
  std::array<double, 2> crop_ratio = {3.0 / 4.0, 4.0 / 3.0};  // width / height
  double flip = 0.5;                                          // chance of a mirror image
  double jitter = 0.4;                                        // factors in [1 - jitter, 1 + jitter]
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

}  // namespace ltml::data
