#pragma once

#include <ATen/ATen.h>
#include <c10/core/Stream.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/train/batch_source.h"
#include "worker/train/device_mark.h"

namespace ltml::train {

// The images of a step of this rank, where the network is.
struct StepImages {
  int64_t uniform = 0, rebalanced = 0;  // rows of each stream, the uniform ones first
  at::Tensor x_B3HW, y_BK;
  // The labels in memory of the host; empty where batches are copied ahead.
  std::span<const float> labels_BK{};
  int64_t rows() const { return uniform + rebalanced; }
};

struct BatchFeedOptions {
  at::TensorOptions tensors;  // type and device of the network
  int64_t image_size = 224;
  int64_t classes = 1;
  bool channels_last_pixels = false;
  int rank = 0;        // for messages
  int64_t steps = 0;   // of the whole run
  bool ahead = false;  // copy batches ahead
};

// Brings the batches of a source to the device.  Without `ahead` a step's tensors lie over the
// batch's own memory, where that is possible.  With `ahead` there are two places on the device that
// steps use in turns: while the device works on a step, the next batch is copied, on a stream of
// its own, if the source has it by then.  The source is asked for another batch only when the copy
// of the one before has ended.  Not thread-safe.  May throw c10::Error.
class BatchFeed {
 public:
  // `source` must live on.
  BatchFeed(BatchSource& source, const BatchFeedOptions& options);
  // Waits for a copy under way, a few seconds at most.
  ~BatchFeed();
  BatchFeed(const BatchFeed&) = delete;
  BatchFeed& operator=(const BatchFeed&) = delete;

  // The images of `step`, steps in order; valid until Ahead or the next call.  Work that the thread
  // gives the device from now on sees them.  Errors of the source; Internal for a batch that does
  // not fit; DeadlineExceeded for a copy that does not end within `limit`.
  absl::StatusOr<StepImages> Next(int64_t step, std::chrono::nanoseconds limit);
  // After all work that reads the images of `step` has been given to the device: begins to copy
  // those of the next step.  Never waits; what cannot be done yet is left to Next.
  void Ahead(int64_t step);

 private:
  struct Place {
    explicit Place(c10::Device device) : copied(device), used(device) {}
    at::Tensor pixels, labels;
    int64_t uniform = 0, rebalanced = 0;
    DeviceMark copied, used;
  };

  Place& PlaceOf(int64_t step) { return places_[step % 2]; }
  absl::StatusOr<const Batch*> Take(int64_t step, std::chrono::nanoseconds limit);
  absl::Status Check(const Batch& batch, int64_t step) const;
  absl::Status AwaitCopy(std::chrono::nanoseconds limit);
  absl::Status Fetch(int64_t step, std::chrono::nanoseconds limit);
  void Reserve(Place& place, int64_t rows) const;
  at::Tensor PixelsOver(const Batch& batch) const;
  at::Tensor LabelsOver(const Batch& batch) const;
  at::Tensor AsImages(const at::Tensor& pixels) const;

  BatchSource& source_;
  const BatchFeedOptions options_;
  std::array<Place, 2> places_;
  std::optional<c10::Stream> stream_;  // of the copies; none on a processor
  int64_t fetched_ = -1;               // the step whose batch was copied last
};

}  // namespace ltml::train
