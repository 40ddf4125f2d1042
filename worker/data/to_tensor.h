#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace ltml::data {

enum class Jitter { kBrightness, kContrast, kSaturation };
struct JitterStep {
  Jitter kind = Jitter::kBrightness;
  float factor = 1;
};

// How the values of an image lie: [3, H, W] or [H, W, 3].
enum class Layout { kPlanes, kInterleaved };

// Pixels R, G, B, 0 of 8 bits each become three float32 each: jitter in the order given, then
// (v / 255 - mean_c) / std_c with ImageNet's mean (0.485, 0.456, 0.406) and standard deviation
// (0.229, 0.224, 0.225).  Jitter on values in [0, 255], clamped to them:
//   brightness: f v;  contrast: f v + (1 - f) mean(grey);  saturation: f v + (1 - f) grey,
// with grey = 0.299 R + 0.587 G + 0.114 B.  As torchvision's ColorJitter, without its rounding to
// 8 bits in between; at most one step of each kind.  Values has three places a pixel.  One pass
// over the pixels, with contrast one more to read them; nothing is allocated.
void ToTensor(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter, Layout layout,
              std::span<float> values);

// The versions behind ToTensor, which give the same bits: the second where base::HasAvx2(), the
// third where base::HasAvx512().
void ToTensorPortable(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter,
                      Layout layout, std::span<float> values);
void ToTensorAvx2(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter,
                  Layout layout, std::span<float> values);
void ToTensorAvx512(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter,
                    Layout layout, std::span<float> values);

}  // namespace ltml::data
