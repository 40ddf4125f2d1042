#include "worker/data/image_reader.h"

#include <string>
#include <utility>

#include "fmt/format.h"

namespace ltml::data {
namespace {

// What a kept image costs beside its pixels.
constexpr int64_t kEntryBytes = 128;

absl::Status Named(const dataset::Dataset& dataset, int64_t image, const absl::Status& reason) {
  return absl::InvalidArgumentError(fmt::format(
      "data set {}: image {} (number {}): {}; 'ltml data check' lists all such images, "
      "import the data set again without them",
      dataset.folder().string(), dataset.name(image), image, std::string(reason.message())));
}

}  // namespace

ImageReader::ImageReader(std::shared_ptr<const dataset::Dataset> dataset, bool apply_orientation,
                         int64_t cache_bytes)
    : dataset_(std::move(dataset)),
      decode_options_{.apply_orientation = apply_orientation},
      free_bytes_(cache_bytes) {}

absl::StatusOr<ImageReader::Picture> ImageReader::Read(int64_t image) {
  if (Picture kept = Find(image)) return kept;
  auto decoded = image::Decode(dataset_->bytes(image), decode_options_);
  if (!decoded.ok()) return Named(*dataset_, image, decoded.status());
  auto picture = std::make_shared<const image::Image>(*std::move(decoded));
  Keep(image, picture);
  return picture;
}

ImageReader::Picture ImageReader::Find(int64_t image) {
  absl::MutexLock lock(&mutex_);
  const auto found = kept_.find(image);
  return found == kept_.end() ? nullptr : found->second;
}

void ImageReader::Keep(int64_t image, const Picture& picture) {
  const int64_t bytes = static_cast<int64_t>(picture->rgb.capacity()) + kEntryBytes;
  absl::MutexLock lock(&mutex_);
  if (bytes > free_bytes_ || !kept_.emplace(image, picture).second) return;
  free_bytes_ -= bytes;
}

}  // namespace ltml::data
