#include "worker/data/loader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory_resource>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "tests/unit/data/small_dataset.h"
#include "worker/data/render.h"

namespace ltml::data {
namespace {

using std::chrono::seconds;
using train::Batch;

constexpr int64_t kPixels = 3 * 16 * 16;

LoaderOptions Options() {
  LoaderOptions options;
  options.seed = 11;
  options.global_batch = 6;
  options.image_size = 16;
  options.steps = 12;
  return options;
}

// Copies of the batches [first_step, steps).
std::vector<Batch> Load(const SmallDataset& set, const LoaderOptions& options) {
  std::vector<Batch> batches;
  auto loader = MakeLoader(set.Open(), options);
  EXPECT_TRUE(loader.ok()) << loader.status();
  for (int64_t step = options.first_step; loader.ok() && step < options.steps; ++step) {
    const auto batch = (*loader)->Next(step, seconds(20));
    EXPECT_TRUE(batch.ok()) << batch.status();
    if (!batch.ok()) break;
    batches.push_back(**batch);
  }
  return batches;
}

void ExpectEqual(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(a[i].step, b[i].step);
    EXPECT_EQ(a[i].uniform_images, b[i].uniform_images);
    EXPECT_EQ(a[i].rebalanced_images, b[i].rebalanced_images);
    EXPECT_EQ(a[i].images, b[i].images);
    EXPECT_TRUE(a[i].labels_BK == b[i].labels_BK);
    EXPECT_TRUE(a[i].pixels_B3HW == b[i].pixels_B3HW);
  }
}

TEST(Loader, GivesTheSameBatchesWhateverThreadsQueueAndCache) {
  const SmallDataset set(17);
  const std::vector<Batch> reference = Load(set, Options());
  ASSERT_EQ(reference.size(), 12u);
  for (const int threads : {2, 4}) {
    for (const int64_t cache : {0, 3000, 1 << 20}) {
      LoaderOptions options = Options();
      options.threads = threads;
      options.queue_batches = threads;
      options.cache_bytes = cache;
      ExpectEqual(Load(set, options), reference);
    }
  }
}

TEST(Loader, FillsLabelsAndCountsOfBothStreams) {
  const SmallDataset set(17);
  const auto dataset = set.Open();
  for (const Batch& batch : Load(set, Options())) {
    EXPECT_EQ(batch.uniform_images, 6);
    EXPECT_EQ(batch.rebalanced_images, 6);
    ASSERT_EQ(batch.images.size(), 12u);
    ASSERT_EQ(batch.pixels_B3HW.size(), size_t{12 * kPixels});
    for (size_t row = 0; row < 12; ++row) {
      std::vector<float> expected(4, 0.0f);
      for (const uint32_t label : dataset->labels(batch.images[row])) expected[label] = 1;
      for (size_t k = 0; k < 4; ++k) EXPECT_EQ(batch.labels_BK[4 * row + k], expected[k]);
    }
  }
}

TEST(Loader, DrawsEveryImageOnceAnEpochFromTheUniformStream) {
  const SmallDataset set(18);
  std::vector<int> seen(18, 0);
  for (const Batch& batch : Load(set, Options())) {
    for (int64_t row = 0; row < batch.uniform_images; ++row) ++seen[batch.images[row]];
  }
  EXPECT_THAT(seen, testing::Each(4));  // 72 draws of 18 images
}

TEST(Loader, SlicesOfAllRanksAreTheGlobalStep) {
  const SmallDataset set(17);
  const std::vector<Batch> whole = Load(set, Options());
  for (const int world_size : {2, 3, 4}) {
    std::vector<std::vector<Batch>> ranks;
    for (int rank = 0; rank < world_size; ++rank) {
      LoaderOptions options = Options();
      options.rank = rank;
      options.world_size = world_size;
      ranks.push_back(Load(set, options));
    }
    for (size_t step = 0; step < whole.size(); ++step) {
      std::pmr::vector<float> uniform, rebalanced;
      for (const auto& rank : ranks) {
        const auto& pixels = rank[step].pixels_B3HW;
        const auto middle = pixels.begin() + rank[step].uniform_images * kPixels;
        uniform.insert(uniform.end(), pixels.begin(), middle);
        rebalanced.insert(rebalanced.end(), middle, pixels.end());
      }
      uniform.insert(uniform.end(), rebalanced.begin(), rebalanced.end());
      EXPECT_TRUE(uniform == whole[step].pixels_B3HW) << world_size << " ranks, step " << step;
    }
  }
}

TEST(Loader, GoesOnInTheMiddleAsIfItHadNeverStopped) {
  const SmallDataset set(17);
  std::vector<Batch> whole = Load(set, Options());
  LoaderOptions options = Options();
  options.first_step = 7;
  whole.erase(whole.begin(), whole.begin() + 7);
  ExpectEqual(Load(set, options), whole);
}

TEST(Loader, AugmentsTheSameImageDifferentlyAtEachDraw) {
  const SmallDataset set(1);
  const std::vector<Batch> batches = Load(set, Options());
  const auto& pixels = batches[0].pixels_B3HW;
  const std::vector<float> first(pixels.begin(), pixels.begin() + kPixels);
  for (int row = 1; row < 12; ++row) {
    const auto begin = pixels.begin() + row * kPixels;
    EXPECT_FALSE(std::equal(first.begin(), first.end(), begin)) << "row " << row;
  }
}

// Large and small pictures, some drawn twice in a step at other scales: what is kept, and what is
// read for other rows, changes nothing.
TEST(Loader, ReadsLargePicturesInPartsAndScaled) {
  const SmallDataset set(5, 3);
  LoaderOptions options = Options();
  options.image_size = 8;
  options.cache_bytes = 0;
  const std::vector<Batch> reference = Load(set, options);
  options.cache_bytes = 1 << 20;
  options.threads = 3;
  ExpectEqual(Load(set, options), reference);
  const auto dataset = set.Open();
  image::Decoder decoder;
  Renderer renderer(8, Layout::kPlanes);
  std::set<int> scales;
  for (const Batch& batch : reference) {
    for (int64_t row = 0; row < std::ssize(batch.images); ++row) {
      const bool uniform = row < batch.uniform_images;
      const int64_t position = 6 * batch.step + (uniform ? row : row - batch.uniform_images);
      PositionRandom random(options.seed, uniform ? 0 : 1, position);
      const auto size = decoder.Open(dataset->bytes(batch.images[row]));
      ASSERT_TRUE(size.ok());
      const Augmentation augmentation = DrawAugmentation({}, size->width, size->height, random);
      const int scale = image::ScaleFor(augmentation.crop, 8);
      scales.insert(scale);
      const auto part = decoder.Read(augmentation.crop, scale);
      std::vector<float> expected(3 * 8 * 8);
      ASSERT_TRUE(renderer.Training(*part, scale, augmentation, expected).ok());
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(),
                             batch.pixels_B3HW.begin() + row * std::ssize(expected)));
    }
  }
  EXPECT_GE(scales.size(), 3u);
}

TEST(Loader, LaysValuesOutAsAsked) {
  const SmallDataset set(7);
  LoaderOptions options = Options();
  const std::vector<Batch> planes = Load(set, options);
  options.layout = Layout::kInterleaved;
  const std::vector<Batch> interleaved = Load(set, options);
  constexpr int64_t kPlane = 16 * 16;
  for (size_t i = 0; i < planes.size(); ++i) {
    for (int64_t at = 0; at < std::ssize(planes[i].pixels_B3HW); ++at) {
      const int64_t row = at / kPixels, c = at % kPixels / kPlane, pixel = at % kPlane;
      ASSERT_EQ(planes[i].pixels_B3HW[at],
                interleaved[i].pixels_B3HW[row * kPixels + 3 * pixel + c]);
    }
  }
}

// Memory with a count, as one that pins it would be.
class CountedMemory : public std::pmr::memory_resource {
 public:
  std::atomic<int64_t> taken = 0, held = 0;

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    ++taken;
    held += static_cast<int64_t>(bytes);
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* place, size_t bytes, size_t alignment) override {
    held -= static_cast<int64_t>(bytes);
    std::pmr::new_delete_resource()->deallocate(place, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

TEST(Loader, KeepsBatchesInTheMemoryItWasGiven) {
  const SmallDataset set(7);
  CountedMemory memory;
  LoaderOptions options = Options();
  options.memory = &memory;
  {
    auto loader = MakeLoader(set.Open(), options);
    ASSERT_TRUE(loader.ok());
    for (int64_t step = 0; step < options.steps; ++step) {
      ASSERT_TRUE((*loader)->Next(step, seconds(20)).ok());
    }
    EXPECT_EQ(memory.taken, 2 * options.queue_batches);  // pixels and labels
    EXPECT_EQ(memory.held, options.queue_batches * 12 * (kPixels + 4) * int64_t{sizeof(float)});
  }
  EXPECT_EQ(memory.held, 0);
}

TEST(Loader, DrawsFromOneStreamAlone) {
  const SmallDataset set(17);
  const std::vector<Batch> both = Load(set, Options());
  LoaderOptions options = Options();
  options.use_uniform = false;
  const std::vector<Batch> rebalanced = Load(set, options);
  EXPECT_EQ(rebalanced[0].uniform_images, 0);
  EXPECT_EQ(rebalanced[0].rebalanced_images, 6);
  EXPECT_TRUE(std::equal(rebalanced[0].pixels_B3HW.begin(), rebalanced[0].pixels_B3HW.end(),
                         both[0].pixels_B3HW.begin() + 6 * kPixels));
}

TEST(Loader, AllowsARankWithoutImages) {
  const SmallDataset set(5);
  LoaderOptions options = Options();
  options.world_size = 8;  // 6 images a step
  size_t images = 0;
  for (options.rank = 0; options.rank < 8; ++options.rank) {
    for (const Batch& batch : Load(set, options)) images += batch.images.size();
  }
  EXPECT_EQ(images, 12u * 12u);
}

TEST(Loader, NamesAnImageThatCannotBeDecodedAtItsStep) {
  const SmallDataset set(17);
  const std::vector<Batch> whole = Load(set, Options());
  const int64_t bad = whole[1].images[3];
  set.Damage(static_cast<int>(bad));
  LoaderOptions options = Options();
  options.threads = 3;
  auto loader = MakeLoader(set.Open(), options);
  ASSERT_TRUE(loader.ok());
  for (int64_t step = 0; step < options.steps; ++step) {
    const auto batch = (*loader)->Next(step, seconds(20));
    const auto& images = whole[step].images;
    const bool uses_bad = std::find(images.begin(), images.end(), bad) != images.end();
    ASSERT_EQ(batch.ok(), !uses_bad) << step;
    if (batch.ok()) continue;
    EXPECT_THAT(std::string(batch.status().message()),
                testing::AllOf(testing::HasSubstr(set.set_folder().string()),
                               testing::HasSubstr(fmt::format("{}.jpg", bad)),
                               testing::HasSubstr("unknown type")));
    return;
  }
  FAIL() << "the damaged image was never drawn";
}

TEST(Loader, EndsQuicklyWithBatchesUnread) {
  const SmallDataset set(17);
  LoaderOptions options = Options();
  options.steps = 1'000'000;
  options.threads = 4;
  for (int i = 0; i < 5; ++i) {
    auto loader = MakeLoader(set.Open(), options);
    ASSERT_TRUE(loader.ok());
    ASSERT_TRUE((*loader)->Next(0, seconds(20)).ok());
  }
}

TEST(Loader, RefusesOptionsOutOfRange) {
  const SmallDataset set(3);
  const auto refused = [&](auto change) {
    LoaderOptions options = Options();
    change(options);
    return MakeLoader(set.Open(), options).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](LoaderOptions& o) { o.rank = 1; }));
  EXPECT_TRUE(refused([](LoaderOptions& o) { o.global_batch = 0; }));
  EXPECT_TRUE(refused([](LoaderOptions& o) { o.threads = 0; }));
  EXPECT_TRUE(refused([](LoaderOptions& o) { o.queue_batches = 0; }));
  EXPECT_TRUE(refused([](LoaderOptions& o) { o.crop_scale = {0.9, 0.1}; }));
  EXPECT_TRUE(refused([](LoaderOptions& o) { o.use_uniform = o.use_rebalanced = false; }));
}

}  // namespace
}  // namespace ltml::data
