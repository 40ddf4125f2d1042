#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ltml::train {

// Where one parameter lies in the flat buckets.
struct BucketSlot {
  int bucket = 0;
  int64_t offset = 0;  // in elements, a multiple of kBucketAlignment
  int64_t elements = 0;
  bool operator==(const BucketSlot&) const = default;
};

struct BucketLayout {
  std::vector<BucketSlot> slots;         // one a parameter, in the order they were given
  std::vector<int64_t> bucket_elements;  // size of each bucket, padding included
  bool operator==(const BucketLayout&) const = default;
};

// Elements to which parameters are aligned: 64 bytes of float32.
inline constexpr int64_t kBucketAlignment = 16;

// A parameter's size and the part of the network it belongs to.
struct BucketItem {
  int64_t elements = 0;
  int part = 0;
};

// Lays parameters, given in order of execution, into buckets in the reverse order, which is that of
// backward: bucket 0 is ready first.  A bucket ends where the part changes, so that a branch's
// gradients can travel while the trunk still computes, and where the next parameter would make it
// larger than `bucket_bytes`; a parameter larger than that has a bucket of its own.  A pure
// function of its arguments: every rank and every resumed run sums in the same order.
BucketLayout LayOutBuckets(std::span<const BucketItem> items, int64_t element_bytes,
                           int64_t bucket_bytes);

// A rank's part of the elements of a bucket; whole cache lines.
struct Shard {
  int64_t begin = 0, end = 0;
};
Shard ShardOf(int64_t elements, int rank, int world_size);

}  // namespace ltml::train
