#pragma once

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/dataset/dataset.h"
#include "common/image/image.h"

namespace ltml::data {

// Decoded images of a data set.  Keeps the first ones that fit into `cache_bytes`: over an epoch in
// random order no other choice is hit more often.  Thread-safe.
class ImageReader {
 public:
  // Images are shared with the cache, which outlives no reader of them.
  using Picture = std::shared_ptr<const image::Image>;

  ImageReader(std::shared_ptr<const dataset::Dataset> dataset, bool apply_orientation,
              int64_t cache_bytes);

  // InvalidArgument names data set, image and reason.
  absl::StatusOr<Picture> Read(int64_t image);

  const dataset::Dataset& dataset() const { return *dataset_; }

 private:
  Picture Find(int64_t image);
  void Keep(int64_t image, const Picture& picture);

  const std::shared_ptr<const dataset::Dataset> dataset_;
  const image::DecodeOptions decode_options_;
  absl::Mutex mutex_;
  int64_t free_bytes_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<int64_t, Picture> kept_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ltml::data
