#pragma once

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/image/image.h"

namespace ltml::data {

// Decoded pictures by number, as many as fit into a budget.  Keeps the first that come: over an
// epoch in random order no other choice is hit more often, and the re-balanced stream brings the
// images of rare classes, which it draws most, early.  Thread-safe.
class PictureCache {
 public:
  // Shared with whoever renders it.
  using Picture = std::shared_ptr<const image::Image>;

  explicit PictureCache(int64_t bytes) : free_bytes_(bytes) {}

  // Null when it is not kept.
  Picture Find(int64_t image) const;
  // Whether a picture of width x height would be kept.
  bool HasRoom(int width, int height) const;
  // Keeps the picture if there is room still.
  void Keep(int64_t image, const Picture& picture);

 private:
  mutable absl::Mutex mutex_;
  int64_t free_bytes_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<int64_t, Picture> kept_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ltml::data
