#pragma once

#include <span>

#include "absl/status/status.h"
#include "common/image/decoder.h"
#include "common/image/resizer.h"
#include "worker/data/augment.h"
#include "worker/data/to_tensor.h"

namespace ltml::data {

// Decoded pictures to the values that the network sees: 3 * size * size of them in `layout`. Memory
// is reused.  For one thread at a time.
class Renderer {
 public:
  // size >= 1.
  Renderer(int size, Layout layout) : size_(size), layout_(layout) {}

  // What augmentation says of a picture, of which `part` was read at 1 / scale: its crop at least.
  absl::Status Training(const image::Decoder::Part& part, int scale,
                        const Augmentation& augmentation, std::span<float> values);

  // A whole picture: short side to round(size * 256 / 224), centre size x size.
  absl::Status Evaluation(const image::View& picture, std::span<float> values);

 private:
  const int size_;
  const Layout layout_;
  image::Resizer resizer_;
};

}  // namespace ltml::data
