#include "worker/data/picture_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "fmt/format.h"

namespace ltml::data {

PictureReader::PictureReader(std::shared_ptr<const dataset::Dataset> dataset,
                             bool apply_orientation, PictureCache* cache, int small_side)
    : dataset_(std::move(dataset)),
      cache_(cache),
      small_side_(small_side),
      decoder_({.apply_orientation = apply_orientation}) {}

absl::StatusOr<image::Decoder::Size> PictureReader::Open(int64_t image) {
  image_ = image;
  kept_ = cache_ != nullptr ? cache_->Find(image) : nullptr;
  if (kept_ != nullptr) return image::Decoder::Size{kept_->width, kept_->height, false};
  auto size = decoder_.Open(dataset_->bytes(image));
  if (!size.ok()) return Named(size.status());
  const bool small = !size->scales || std::min(size->width, size->height) < small_side_;
  if (cache_ != nullptr && small && cache_->HasRoom(size->width, size->height)) {
    LTML_RETURN_IF_ERROR(TakeIntoCache());
  }
  return size;
}

absl::Status PictureReader::TakeIntoCache() {
  auto all = decoder_.ReadAll();
  if (!all.ok()) return Named(all.status());
  kept_ = std::make_shared<const image::Image>(*std::move(all));
  cache_->Keep(image_, kept_);
  return absl::OkStatus();
}

absl::StatusOr<image::Decoder::Part> PictureReader::Read(image::Box box, int scale) {
  if (kept_ != nullptr) {
    LTML_ASSIGN_OR_RETURN(const image::View view, image::ViewOf(*kept_));
    return image::Decoder::Part{view, 0, 0};
  }
  auto part = decoder_.Read(box, scale);
  if (!part.ok()) return Named(part.status());
  return part;
}

absl::Status PictureReader::Named(const absl::Status& reason) const {
  return absl::InvalidArgumentError(fmt::format(
      "data set {}: image {} (number {}): {}; 'ltml data check' lists all such images, "
      "import the data set again without them",
      dataset_->folder().string(), dataset_->name(image_), image_, std::string(reason.message())));
}

}  // namespace ltml::data
