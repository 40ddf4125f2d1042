#include "worker/data/picture_cache.h"

namespace ltml::data {
namespace {

// With what it costs beside its pixels.
int64_t CostOf(int width, int height) { return int64_t{3} * width * height + 128; }

}  // namespace

PictureCache::Picture PictureCache::Find(int64_t image) const {
  absl::MutexLock lock(&mutex_);
  const auto found = kept_.find(image);
  return found == kept_.end() ? nullptr : found->second;
}

bool PictureCache::HasRoom(int width, int height) const {
  absl::MutexLock lock(&mutex_);
  return CostOf(width, height) <= free_bytes_;
}

void PictureCache::Keep(int64_t image, const Picture& picture) {
  const int64_t cost = CostOf(picture->width, picture->height);
  absl::MutexLock lock(&mutex_);
  if (cost <= free_bytes_ && kept_.emplace(image, picture).second) free_bytes_ -= cost;
}

}  // namespace ltml::data
