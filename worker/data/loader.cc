#include "worker/data/loader.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/status_macros.h"
#include "common/sampling/class_lists.h"
#include "common/sampling/streams.h"
#include "fmt/format.h"
#include "worker/data/augment.h"
#include "worker/data/image_reader.h"
#include "worker/data/prefetcher.h"

namespace ltml::data {
namespace {

using sampling::Stream;

// One row of a batch.
struct Draw {
  Stream stream = Stream::kUniform;
  int64_t position = 0;
  int64_t row = 0;
};

// An image of a batch with all its rows.
struct ImageDraws {
  int64_t image = 0;
  std::vector<Draw> draws;
};

struct Slot {
  train::Batch batch;
  std::vector<ImageDraws> work;
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

AugmentOptions AugmentOptionsOf(const LoaderOptions& options) {
  return {options.crop_scale, options.crop_ratio, options.flip, options.jitter};
}

class Loader final : public train::BatchSource, private Prefetcher::Maker {
 public:
  Loader(std::shared_ptr<const dataset::Dataset> dataset, const LoaderOptions& options)
      : options_(options),
        augment_options_(AugmentOptionsOf(options)),
        reader_(std::move(dataset), options.apply_orientation, options.cache_bytes),
        slots_(options.queue_batches) {}

  absl::Status Start() {
    const dataset::Dataset& dataset = reader_.dataset();
    if (options_.use_uniform) uniform_.emplace(options_.seed, dataset.images());
    if (options_.use_rebalanced) {
      class_lists_ = sampling::MakeClassLists(dataset.images(), dataset.classes(),
                                              [&](int64_t image) { return dataset.labels(image); });
      LTML_ASSIGN_OR_RETURN(auto stream,
                            sampling::RebalancedStream::Create(options_.seed, class_lists_));
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
    slot.batch.step = step;
    slot.batch.uniform_images = uniform_ ? slice.size() : 0;
    slot.batch.rebalanced_images = rebalanced_ ? slice.size() : 0;
    slot.batch.images.clear();
    for (int64_t at = slice.begin; uniform_ && at < slice.end; ++at) {
      slot.batch.images.push_back(uniform_->ImageAt(at));
    }
    for (int64_t at = slice.begin; rebalanced_ && at < slice.end; ++at) {
      slot.batch.images.push_back(rebalanced_->ImageAt(at));
    }
    const size_t rows = slot.batch.images.size();
    slot.batch.pixels_B3HW.resize(rows * PixelsOfImage());
    slot.batch.labels_BK.assign(rows * reader_.dataset().classes(), 0);
    PlanWork(slice.begin, slot);
    return std::ssize(slot.work);
  }

  // Rows of the same image become one item.
  static void PlanWork(int64_t first_position, Slot& slot) {
    absl::flat_hash_map<int64_t, size_t> item_of;
    slot.work.clear();
    for (int64_t row = 0; row < std::ssize(slot.batch.images); ++row) {
      const int64_t image = slot.batch.images[row];
      const auto [found, is_new] = item_of.emplace(image, slot.work.size());
      if (is_new) slot.work.push_back({image, {}});
      const bool is_uniform = row < slot.batch.uniform_images;
      const int64_t offset = is_uniform ? row : row - slot.batch.uniform_images;
      slot.work[found->second].draws.push_back(
          {is_uniform ? Stream::kUniform : Stream::kRebalanced, first_position + offset, row});
    }
  }

  absl::Status Work(int number, int64_t item) override {
    Slot& slot = slots_[number];
    const ImageDraws& work = slot.work[item];
    LTML_ASSIGN_OR_RETURN(const ImageReader::Picture picture, reader_.Read(work.image));
    for (const Draw& draw : work.draws) {
      LTML_RETURN_IF_ERROR(Render(*picture, draw, slot.batch));
      SetLabels(work.image, draw.row, slot.batch);
    }
    return absl::OkStatus();
  }

  absl::Status Render(const image::Image& picture, const Draw& draw, train::Batch& batch) const {
    PositionRandom random(options_.seed, static_cast<uint32_t>(draw.stream), draw.position);
    const Augmentation augmentation =
        DrawAugmentation(augment_options_, picture.width, picture.height, random);
    const std::span<float> pixels(batch.pixels_B3HW);
    return RenderTraining(picture, augmentation, options_.image_size,
                          pixels.subspan(draw.row * PixelsOfImage(), PixelsOfImage()));
  }

  void SetLabels(int64_t image, int64_t row, train::Batch& batch) const {
    float* labels = batch.labels_BK.data() + row * reader_.dataset().classes();
    for (const uint32_t label : reader_.dataset().labels(image)) labels[label] = 1;
  }

  const LoaderOptions options_;
  const AugmentOptions augment_options_;
  ImageReader reader_;
  sampling::ClassLists class_lists_;
  std::optional<sampling::UniformStream> uniform_;
  std::optional<sampling::RebalancedStream> rebalanced_;
  std::vector<Slot> slots_;
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
