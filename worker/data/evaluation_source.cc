#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "fmt/format.h"
#include "worker/data/loader.h"
#include "worker/data/picture_reader.h"
#include "worker/data/prefetcher.h"
#include "worker/data/render.h"

namespace ltml::data {
namespace {

std::vector<uint8_t> DenseLabels(const dataset::Dataset& dataset) {
  const auto classes = static_cast<size_t>(dataset.classes());
  std::vector<uint8_t> labels(dataset.images() * classes, 0);
  for (int64_t image = 0; image < dataset.images(); ++image) {
    for (const uint32_t label : dataset.labels(image)) labels[image * classes + label] = 1;
  }
  return labels;
}

absl::Status Validate(const EvaluationOptions& options) {
  const bool fine = options.batch >= 1 && options.image_size >= 1 && options.threads >= 1 &&
                    options.world_size >= 1 && options.queue_batches >= 1;
  if (fine) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("evaluation: batch {}, image_size {}, threads {}, world_size {}, queue_batches "
                  "{}: expected at least 1 each",
                  options.batch, options.image_size, options.threads, options.world_size,
                  options.queue_batches));
}

class EvaluationLoader final : public train::EvaluationSource, private Prefetcher::Maker {
 public:
  EvaluationLoader(std::shared_ptr<const dataset::Dataset> dataset,
                   const EvaluationOptions& options)
      : options_(options), dataset_(std::move(dataset)), labels_NK_(DenseLabels(*dataset_)) {
    for (int i = 0; i < options.queue_batches; ++i) {
      slots_.emplace_back(options.memory);
    }
    for (int i = 0; i < options.threads; ++i) {
      hands_.push_back({PictureReader(dataset_, options.apply_orientation, nullptr, 0),
                        Renderer(options.image_size, options.layout)});
    }
  }

  absl::Status Start() {
    LTML_ASSIGN_OR_RETURN(prefetcher_,
                          Prefetcher::Create(options_.threads, options_.queue_batches, *this));
    return absl::OkStatus();
  }

  int64_t images() const override { return dataset_->images(); }
  int64_t batch() const override { return options_.batch; }
  const std::vector<uint8_t>& labels_NK() const override { return labels_NK_; }

  absl::StatusOr<const train::EvaluationBatch*> Load(int64_t number,
                                                     std::chrono::nanoseconds timeout) override {
    if (number < 0 || number >= Batches()) {
      return absl::InvalidArgumentError(
          fmt::format("evaluation batch {} does not exist, there are {}", number, Batches()));
    }
    if (prefetcher_->expected() != number) {
      LTML_RETURN_IF_ERROR(prefetcher_->Start({number, Batches(), options_.world_size}, timeout));
    }
    auto slot = prefetcher_->Next(number, timeout);
    if (!slot.ok()) return slot.status();
    return &slots_[*slot];
  }

 private:
  int64_t Batches() const { return (images() + options_.batch - 1) / options_.batch; }
  int64_t PixelsOfImage() const { return int64_t{3} * options_.image_size * options_.image_size; }

  int64_t Plan(int64_t number, int slot) override {
    train::EvaluationBatch& batch = slots_[slot];
    batch.first_image = number * options_.batch;
    batch.images = std::min(options_.batch, images() - batch.first_image);
    batch.pixels_B3HW.resize(options_.batch * PixelsOfImage());
    std::fill(batch.pixels_B3HW.begin() + batch.images * PixelsOfImage(), batch.pixels_B3HW.end(),
              0.0f);
    return batch.images;
  }

  absl::Status Work(int slot, int64_t row, int thread) override {
    train::EvaluationBatch& batch = slots_[slot];
    Hand& hand = hands_[thread];
    LTML_ASSIGN_OR_RETURN(const image::Decoder::Size size,
                          hand.reader.Open(batch.first_image + row));
    LTML_ASSIGN_OR_RETURN(const image::Decoder::Part whole,
                          hand.reader.Read({0, 0, size.width, size.height}, 1));
    const std::span<float> pixels(batch.pixels_B3HW);
    return hand.renderer.Evaluation(whole.view,
                                    pixels.subspan(row * PixelsOfImage(), PixelsOfImage()));
  }

  // What a thread works with; its memory is reused.
  struct Hand {
    PictureReader reader;
    Renderer renderer;
  };

  const EvaluationOptions options_;
  const std::shared_ptr<const dataset::Dataset> dataset_;
  const std::vector<uint8_t> labels_NK_;
  std::vector<train::EvaluationBatch> slots_;
  std::vector<Hand> hands_;                 // [threads]
  std::unique_ptr<Prefetcher> prefetcher_;  // last: its threads end before what they use
};

}  // namespace

absl::StatusOr<std::unique_ptr<train::EvaluationSource>> MakeEvaluationSource(
    std::shared_ptr<const dataset::Dataset> dataset, const EvaluationOptions& options) {
  LTML_RETURN_IF_ERROR(Validate(options));
  auto source = std::make_unique<EvaluationLoader>(std::move(dataset), options);
  LTML_RETURN_IF_ERROR(source->Start());
  return source;
}

}  // namespace ltml::data
