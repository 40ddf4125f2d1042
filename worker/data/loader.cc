#include "worker/data/loader.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/sampling/streams.h"
#include "fmt/format.h"
#include "worker/data/augment.h"
#include "worker/data/picture_cache.h"
#include "worker/data/picture_reader.h"
#include "worker/data/prefetcher.h"
#include "worker/data/render.h"

namespace ltml::data {
namespace {

using sampling::Stream;

// Scales that image::ScaleFor may tell, beside 1.
constexpr int kLeastScale = 2;
constexpr int kLargestScale = 8;

struct Slot {
  train::Batch batch;
  int64_t first_position = 0;          // of this rank's slice, in each stream
  std::vector<int64_t> rows_by_image;  // rows of the same image are neighbours
  std::vector<int64_t> item_begins;    // item i is rows_by_image[begins[i] .. begins[i + 1])
};

// What a thread works with; its memory is reused.
struct Hand {
  PictureReader reader;
  Renderer renderer;
  struct Draw {
    int64_t row = 0;
    Augmentation augmentation;
    int scale = 1;
  };
  std::vector<Draw> draws;
};

bool IsRange(const std::array<double, 2>& range) { return range[0] > 0 && range[0] <= range[1]; }

absl::Status Validate(const dataset::Dataset& dataset, const LoaderOptions& options) {
  const auto refuse = [](const std::string& text) {
    return absl::InvalidArgumentError("loader: " + text);
  };
  if (dataset.images() < 1) {
    return refuse(fmt::format("data set {} holds no image", dataset.folder().string()));
  }
  if (options.world_size < 1 || options.rank < 0 || options.rank >= options.world_size) {
    return refuse(fmt::format("rank {} of {} ranks", options.rank, options.world_size));
  }
  if (options.global_batch < 1 || options.image_size < 1 || options.first_step < 0) {
    return refuse(
        fmt::format("global_batch {}, image_size {}, first_step {}: expected at least "
                    "1, 1 and 0",
                    options.global_batch, options.image_size, options.first_step));
  }
  if (options.threads < 1 || options.queue_batches < 1) {
    return refuse(fmt::format("{} threads and {} queued batches, expected at least one of each",
                              options.threads, options.queue_batches));
  }
  if (!IsRange(options.crop_scale) || !IsRange(options.crop_ratio) || options.crop_scale[1] > 1) {
    return refuse("crop_scale and crop_ratio must be ranges above 0, crop_scale up to 1");
  }
  if (!options.use_uniform && !options.use_rebalanced) return refuse("no stream to draw from");
  return absl::OkStatus();
}

image::Box Around(image::Box a, image::Box b) {
  return {std::min(a.left, b.left), std::min(a.top, b.top), std::max(a.right, b.right),
          std::max(a.bottom, b.bottom)};
}

AugmentOptions AugmentOptionsOf(const LoaderOptions& options) {
  return {options.crop_scale, options.crop_ratio, options.flip, options.jitter};
}

class Loader final : public train::BatchSource, private Prefetcher::Maker {
 public:
  Loader(std::shared_ptr<const dataset::Dataset> dataset, const LoaderOptions& options)
      : options_(options),
        augment_options_(AugmentOptionsOf(options)),
        dataset_(std::move(dataset)),
        cache_(options.cache_bytes) {
    for (int i = 0; i < options.queue_batches; ++i) {
      slots_.push_back({train::Batch(options.memory), 0, {}, {}});
    }
    for (int i = 0; i < options.threads; ++i) {
      hands_.push_back({PictureReader(dataset_, options.apply_orientation, &cache_,
                                      kLeastScale * options.image_size),
                        Renderer(options.image_size, options.layout),
                        {}});
    }
  }

  absl::Status Start() {
    if (options_.use_uniform) uniform_.emplace(options_.seed, dataset_->images());
    if (options_.use_rebalanced) {
      LTML_ASSIGN_OR_RETURN(
          auto stream, sampling::RebalancedStream::Create(options_.seed, dataset_->class_lists()));
      rebalanced_.emplace(std::move(stream));
    }
    LTML_ASSIGN_OR_RETURN(prefetcher_,
                          Prefetcher::Create(options_.threads, options_.queue_batches, *this));
    return prefetcher_->Start({options_.first_step, options_.steps}, std::chrono::seconds(1));
  }

  absl::StatusOr<const train::Batch*> Next(int64_t step,
                                           std::chrono::nanoseconds timeout) override {
    LTML_ASSIGN_OR_RETURN(const int slot, prefetcher_->Next(step, timeout));
    return &slots_[slot].batch;
  }

 private:
  int64_t PixelsOfImage() const { return int64_t{3} * options_.image_size * options_.image_size; }

  int64_t Plan(int64_t step, int number) override {
    Slot& slot = slots_[number];
    const sampling::Slice slice =
        sampling::StepSlice(step, options_.global_batch, options_.rank, options_.world_size);
    slot.first_position = slice.begin;
    slot.batch.step = step;
    slot.batch.uniform_images = uniform_ ? slice.size() : 0;
    slot.batch.rebalanced_images = rebalanced_ ? slice.size() : 0;
    const int64_t rows = slot.batch.uniform_images + slot.batch.rebalanced_images;
    slot.batch.images.resize(rows);
    const std::span<int64_t> images(slot.batch.images);
    if (uniform_) uniform_->ImagesAt(slice.begin, images.first(slice.size()));
    if (rebalanced_) rebalanced_->ImagesAt(slice.begin, images.last(slice.size()));
    slot.batch.pixels_B3HW.resize(rows * PixelsOfImage());
    slot.batch.labels_BK.assign(rows * dataset_->classes(), 0);
    PlanItems(slot);
    return std::ssize(slot.item_begins) - 1;
  }

  // Rows of the same image become one item.
  static void PlanItems(Slot& slot) {
    const std::vector<int64_t>& images = slot.batch.images;
    std::vector<int64_t>& rows = slot.rows_by_image;
    rows.resize(images.size());
    std::iota(rows.begin(), rows.end(), 0);
    std::sort(rows.begin(), rows.end(), [&](int64_t a, int64_t b) {
      return images[a] != images[b] ? images[a] < images[b] : a < b;
    });
    slot.item_begins.clear();
    for (int64_t i = 0; i < std::ssize(rows); ++i) {
      if (i == 0 || images[rows[i]] != images[rows[i - 1]]) slot.item_begins.push_back(i);
    }
    slot.item_begins.push_back(std::ssize(rows));
  }

  absl::Status Work(int number, int64_t item, int thread) override {
    Slot& slot = slots_[number];
    Hand& hand = hands_[thread];
    const int64_t begin = slot.item_begins[item], end = slot.item_begins[item + 1];
    const int64_t image = slot.batch.images[slot.rows_by_image[begin]];
    LTML_ASSIGN_OR_RETURN(const image::Decoder::Size size, hand.reader.Open(image));
    hand.draws.clear();
    for (int64_t i = begin; i < end; ++i) {
      hand.draws.push_back(DrawOf(slot, slot.rows_by_image[i], size));
      SetLabels(image, slot.rows_by_image[i], slot.batch);
    }
    for (int scale = 1; scale <= kLargestScale; scale *= 2) {
      LTML_RETURN_IF_ERROR(RenderAt(scale, hand, slot.batch));
    }
    return absl::OkStatus();
  }

  Hand::Draw DrawOf(const Slot& slot, int64_t row, const image::Decoder::Size& size) const {
    const bool is_uniform = row < slot.batch.uniform_images;
    const int64_t offset = is_uniform ? row : row - slot.batch.uniform_images;
    const Stream stream = is_uniform ? Stream::kUniform : Stream::kRebalanced;
    PositionRandom random(options_.seed, static_cast<uint32_t>(stream),
                          slot.first_position + offset);
    Hand::Draw draw{row, DrawAugmentation(augment_options_, size.width, size.height, random), 1};
    if (size.scales) draw.scale = image::ScaleFor(draw.augmentation.crop, options_.image_size);
    return draw;
  }

  // Reads once what all draws at this scale need.
  absl::Status RenderAt(int scale, Hand& hand, train::Batch& batch) const {
    std::optional<image::Box> needed;
    for (const Hand::Draw& draw : hand.draws) {
      if (draw.scale != scale) continue;
      needed = needed ? Around(*needed, draw.augmentation.crop) : draw.augmentation.crop;
    }
    if (!needed) return absl::OkStatus();
    LTML_ASSIGN_OR_RETURN(const image::Decoder::Part part, hand.reader.Read(*needed, scale));
    const std::span<float> pixels(batch.pixels_B3HW);
    for (const Hand::Draw& draw : hand.draws) {
      if (draw.scale != scale) continue;
      LTML_RETURN_IF_ERROR(
          hand.renderer.Training(part, scale, draw.augmentation,
                                 pixels.subspan(draw.row * PixelsOfImage(), PixelsOfImage())));
    }
    return absl::OkStatus();
  }

  void SetLabels(int64_t image, int64_t row, train::Batch& batch) const {
    float* labels = batch.labels_BK.data() + row * dataset_->classes();
    for (const uint32_t label : dataset_->labels(image)) labels[label] = 1;
  }

  const LoaderOptions options_;
  const AugmentOptions augment_options_;
  const std::shared_ptr<const dataset::Dataset> dataset_;
  PictureCache cache_;
  std::optional<sampling::UniformStream> uniform_;
  std::optional<sampling::RebalancedStream> rebalanced_;
  std::vector<Slot> slots_;
  std::vector<Hand> hands_;                 // [threads]
  std::unique_ptr<Prefetcher> prefetcher_;  // last: its threads end before what they use
};

}  // namespace

absl::StatusOr<std::unique_ptr<train::BatchSource>> MakeLoader(
    std::shared_ptr<const dataset::Dataset> dataset, const LoaderOptions& options) {
  LTML_RETURN_IF_ERROR(Validate(*dataset, options));
  auto loader = std::make_unique<Loader>(std::move(dataset), options);
  LTML_RETURN_IF_ERROR(loader->Start());
  return loader;
}

}  // namespace ltml::data
