#include "worker/train/bucket_layout.h"

#include <algorithm>

namespace ltml::train {
namespace {

int64_t Padded(int64_t elements) {
  return (elements + kBucketAlignment - 1) / kBucketAlignment * kBucketAlignment;
}

}  // namespace

BucketLayout LayOutBuckets(std::span<const BucketItem> items, int64_t element_bytes,
                           int64_t bucket_bytes) {
  BucketLayout layout;
  layout.slots.resize(items.size());
  for (size_t i = items.size(); i-- > 0;) {
    const int64_t size = Padded(items[i].elements);
    const bool first = i + 1 == items.size();
    if (first || items[i].part != items[i + 1].part ||
        (layout.bucket_elements.back() + size) * element_bytes > bucket_bytes) {
      layout.bucket_elements.push_back(0);
    }
    layout.slots[i] = {.bucket = static_cast<int>(layout.bucket_elements.size()) - 1,
                       .offset = layout.bucket_elements.back(),
                       .elements = items[i].elements};
    layout.bucket_elements.back() += size;
  }
  return layout;
}

Shard ShardOf(int64_t elements, int rank, int world_size) {
  const int64_t lines = Padded(elements) / kBucketAlignment;
  const auto border = [&](int64_t part) {
    return std::min(elements, lines * part / world_size * kBucketAlignment);
  };
  return {border(rank), border(rank + 1)};
}

}  // namespace ltml::train
