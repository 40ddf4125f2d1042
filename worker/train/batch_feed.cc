#include "worker/train/batch_feed.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include "common/base/status_macros.h"
#include "worker/model/torch_status.h"

namespace ltml::train {
namespace {

constexpr bool kNonBlocking = true;
constexpr std::chrono::seconds kEndLimit(5);

// Memory of a batch as a tensor, without a copy.  Torch has no view of constants.
at::Tensor TensorOver(std::span<const float> values, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
}

int64_t RowsOf(const Batch& batch) { return batch.uniform_images + batch.rebalanced_images; }

}  // namespace

BatchFeed::BatchFeed(BatchSource& source, const BatchFeedOptions& options)
    : source_(source),
      options_(options),
      places_{Place(options.tensors.device()), Place(options.tensors.device())} {
  const c10::Device device = options.tensors.device();
  if (!options.ahead || device.is_cpu()) return;
  stream_ = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
}

// The device writes, and reads the source's memory, until a copy has ended.
BatchFeed::~BatchFeed() {
  (void)model::CatchTorch([&] { return AwaitCopy(kEndLimit); });
}

absl::Status BatchFeed::AwaitCopy(std::chrono::nanoseconds limit) {
  if (fetched_ < 0) return absl::OkStatus();
  return PlaceOf(fetched_).copied.Await("the copy of a step's images", limit);
}

absl::Status BatchFeed::Check(const Batch& batch, int64_t step) const {
  const int64_t images = RowsOf(batch);
  const int64_t pixels = images * 3 * options_.image_size * options_.image_size;
  if (batch.step == step && images > 0 && std::ssize(batch.pixels_B3HW) == pixels &&
      std::ssize(batch.labels_BK) == images * options_.classes) {
    return absl::OkStatus();
  }
  return absl::InternalError(fmt::format(
      "rank {} asked for the images of step {} and got step {}: {} + {} images, {} pixel values "
      "(expected {}), {} labels (expected {})",
      options_.rank, step, batch.step, batch.uniform_images, batch.rebalanced_images,
      batch.pixels_B3HW.size(), pixels, batch.labels_BK.size(), images * options_.classes));
}

absl::StatusOr<const Batch*> BatchFeed::Take(int64_t step, std::chrono::nanoseconds limit) {
  LTML_ASSIGN_OR_RETURN(const Batch* batch, source_.Next(step, limit));
  LTML_RETURN_IF_ERROR(Check(*batch, step));
  return batch;
}

at::Tensor BatchFeed::PixelsOver(const Batch& batch) const {
  const int64_t rows = RowsOf(batch), size = options_.image_size;
  return options_.channels_last_pixels ? TensorOver(batch.pixels_B3HW, {rows, size, size, 3})
                                       : TensorOver(batch.pixels_B3HW, {rows, 3, size, size});
}

at::Tensor BatchFeed::LabelsOver(const Batch& batch) const {
  return TensorOver(batch.labels_BK, {RowsOf(batch), options_.classes});
}

at::Tensor BatchFeed::AsImages(const at::Tensor& pixels) const {
  return options_.channels_last_pixels ? pixels.permute({0, 3, 1, 2}) : pixels;
}

// New memory may have been of use to work that is still in the thread's queue.
void BatchFeed::Reserve(Place& place, int64_t rows) const {
  if (place.labels.defined() && place.labels.size(0) == rows) return;
  const int64_t size = options_.image_size;
  const at::TensorOptions floats = options_.tensors.dtype(at::kFloat);
  place.pixels = options_.channels_last_pixels ? at::empty({rows, size, size, 3}, floats)
                                               : at::empty({rows, 3, size, size}, floats);
  place.labels = at::empty({rows, options_.classes}, floats);
  place.used.Set();
}

absl::Status BatchFeed::Fetch(int64_t step, std::chrono::nanoseconds limit) {
  LTML_RETURN_IF_ERROR(AwaitCopy(limit));
  LTML_ASSIGN_OR_RETURN(const Batch* batch, Take(step, limit));
  const at::NoGradGuard no_grad;
  Place& place = PlaceOf(step);
  Reserve(place, RowsOf(*batch));
  place.uniform = batch->uniform_images;
  place.rebalanced = batch->rebalanced_images;
  const c10::OptionalStreamGuard on(stream_);
  place.used.HoldBack();
  place.pixels.copy_(PixelsOver(*batch), kNonBlocking);
  place.labels.copy_(LabelsOver(*batch), kNonBlocking);
  place.copied.Set();
  fetched_ = step;
  return absl::OkStatus();
}

absl::StatusOr<StepImages> BatchFeed::Next(int64_t step, std::chrono::nanoseconds limit) {
  if (!options_.ahead) {
    LTML_ASSIGN_OR_RETURN(const Batch* batch, Take(step, limit));
    return StepImages{.uniform = batch->uniform_images,
                      .rebalanced = batch->rebalanced_images,
                      .x_B3HW = AsImages(PixelsOver(*batch).to(options_.tensors)),
                      .y_BK = LabelsOver(*batch).to(options_.tensors),
                      .labels_BK = batch->labels_BK};
  }
  if (fetched_ != step) LTML_RETURN_IF_ERROR(Fetch(step, limit));
  const Place& place = PlaceOf(step);
  place.copied.HoldBack();
  return StepImages{.uniform = place.uniform,
                    .rebalanced = place.rebalanced,
                    .x_B3HW = AsImages(place.pixels.to(options_.tensors)),
                    .y_BK = place.labels.to(options_.tensors)};
}

void BatchFeed::Ahead(int64_t step) {
  if (!options_.ahead) return;
  PlaceOf(step).used.Set();
  if (step + 1 < options_.steps) (void)Fetch(step + 1, std::chrono::nanoseconds(0));
}

}  // namespace ltml::train
