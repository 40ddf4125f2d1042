#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "common/dataset/dataset.h"
#include "common/image/decoder.h"
#include "worker/data/picture_cache.h"

namespace ltml::data {

// One thread's access to the pictures of a data set.  Errors are InvalidArgument and name data set,
// image and reason.
class PictureReader {
 public:
  // Pictures whose shorter side is below `small_side` go through the cache: those that no crop
  // allows to be read scaled (image::ScaleFor), so that the cache never changes a pixel.  The cache
  // must outlive the reader; null for none.
  PictureReader(std::shared_ptr<const dataset::Dataset> dataset, bool apply_orientation,
                PictureCache* cache, int small_side);

  // Size of an image, which the next Read reads.
  absl::StatusOr<image::Decoder::Size> Open(int64_t image);
  // At least the pixels under `box`, as image::Decoder::Read.
  absl::StatusOr<image::Decoder::Part> Read(image::Box box, int scale);

 private:
  absl::Status Named(const absl::Status& reason) const;
  absl::Status TakeIntoCache();

  std::shared_ptr<const dataset::Dataset> dataset_;
  PictureCache* cache_;
  int small_side_;
  image::Decoder decoder_;
  int64_t image_ = -1;
  PictureCache::Picture kept_;  // what Read gives, if set
};

}  // namespace ltml::data
