#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <vector>

#include "absl/status/statusor.h"

namespace ltml::train {

// The images of one rank's slice of a global step.  Rows of the uniform stream come first, then the
// rows of the re-balanced stream.
struct Batch {
  Batch() = default;
  // Its pixels and labels lie in `memory`.
  explicit Batch(std::pmr::memory_resource* memory) : pixels_B3HW(memory), labels_BK(memory) {}

  int64_t step = 0;
  int64_t uniform_images = 0;
  int64_t rebalanced_images = 0;
  // [B, 3, H, W], or [B, H, W, 3] where the source was asked for that; normalised float32,
  // B = uniform_images + rebalanced_images.
  std::pmr::vector<float> pixels_B3HW;
  // [B, K], 0 or 1.
  std::pmr::vector<float> labels_BK;
  // Images' numbers in the data set, [B].
  std::vector<int64_t> images;
};

// Port of the trainer: where a step's images come from.  Implemented by worker/data, and in memory
// for tests.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Batch of `step`; steps are asked for in order.  DeadlineExceeded after `timeout`, with 0 at
  // once; InvalidArgument names the image that cannot be decoded.  After an error the same step may
  // be asked for again.  The pointer stays valid until the next call.
  virtual absl::StatusOr<const Batch*> Next(int64_t step, std::chrono::nanoseconds timeout) = 0;
};

// Port of the evaluation: images of a data set in order, in batches of one fixed size.
struct EvaluationBatch {
  EvaluationBatch() = default;
  explicit EvaluationBatch(std::pmr::memory_resource* memory) : pixels_B3HW(memory) {}

  int64_t first_image = 0;
  int64_t images = 0;                   // rows that count; the others are padding (zeros)
  std::pmr::vector<float> pixels_B3HW;  // [batch, 3, H, W], or [batch, H, W, 3]
};
class EvaluationSource {
 public:
  virtual ~EvaluationSource() = default;
  virtual int64_t images() const = 0;
  virtual int64_t batch() const = 0;  // rows of each EvaluationBatch
  // Batch number b holds the images [b * batch, (b + 1) * batch).  Any order.
  virtual absl::StatusOr<const EvaluationBatch*> Load(int64_t number,
                                                      std::chrono::nanoseconds timeout) = 0;
  // 1 where image i carries class k, [images][K].
  virtual const std::vector<uint8_t>& labels_NK() const = 0;
};

}  // namespace ltml::train
