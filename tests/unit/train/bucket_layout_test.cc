#include "worker/train/bucket_layout.h"

#include <gtest/gtest.h>

namespace ltml::train {
namespace {

// Trunk of 2 parameters, f of 2, g of 1.
const std::vector<BucketItem> kItems = {{100, 0}, {17, 0}, {40, 1}, {16, 1}, {5, 2}};

TEST(BucketLayout, RunsBackwardsAndCutsAtParts) {
  const BucketLayout layout = LayOutBuckets(kItems, 4, 1 << 20);
  // Sizes padded to 16 elements: 112, 32 | 48, 16 | 16.
  EXPECT_EQ(layout.bucket_elements, (std::vector<int64_t>{16, 64, 144}));
  EXPECT_EQ(layout.slots[4], (BucketSlot{0, 0, 5}));
  EXPECT_EQ(layout.slots[3], (BucketSlot{1, 0, 16}));
  EXPECT_EQ(layout.slots[2], (BucketSlot{1, 16, 40}));
  EXPECT_EQ(layout.slots[1], (BucketSlot{2, 0, 17}));
  EXPECT_EQ(layout.slots[0], (BucketSlot{2, 32, 100}));
}

TEST(BucketLayout, CutsWhereABucketWouldGrowTooLarge) {
  const BucketLayout layout = LayOutBuckets(kItems, 4, 60 * 4);
  EXPECT_EQ(layout.bucket_elements, (std::vector<int64_t>{16, 16, 48, 32, 112}));
}

TEST(BucketLayout, IsAPureFunction) {
  EXPECT_EQ(LayOutBuckets(kItems, 8, 300), LayOutBuckets(kItems, 8, 300));
}

TEST(BucketLayout, HoldsEveryElementOnceWhateverTheSize) {
  for (int64_t bytes = 1; bytes < 2000; bytes += 37) {
    const BucketLayout layout = LayOutBuckets(kItems, 4, bytes);
    std::vector<std::vector<int>> used;
    for (const int64_t elements : layout.bucket_elements) used.emplace_back(elements);
    for (const BucketSlot& slot : layout.slots) {
      for (int64_t i = 0; i < slot.elements; ++i) ++used.at(slot.bucket).at(slot.offset + i);
    }
    int64_t once = 0;
    for (const auto& bucket : used) {
      for (const int count : bucket) {
        EXPECT_LE(count, 1);
        once += count;
      }
    }
    EXPECT_EQ(once, 178);
  }
}

}  // namespace
}  // namespace ltml::train
