#include <chrono>

#include "gmock/gmock.h"
#include "tests/unit/data/small_dataset.h"
#include "worker/data/loader.h"
#include "worker/data/render.h"

namespace ltml::data {
namespace {

using std::chrono::seconds;

constexpr int64_t kPixels = 3 * 14 * 14;

EvaluationOptions Options() {
  EvaluationOptions options;
  options.batch = 4;
  options.image_size = 14;
  return options;
}

std::pmr::vector<float> Expected(const dataset::Dataset& set, int64_t number) {
  std::pmr::vector<float> pixels(4 * kPixels, 0.0f);
  Renderer renderer(14, Layout::kPlanes);
  for (int64_t row = 0; row < 4 && 4 * number + row < set.images(); ++row) {
    const auto image = image::Decode(set.bytes(4 * number + row), {});
    EXPECT_TRUE(image.ok());
    EXPECT_TRUE(
        renderer
            .Evaluation(*image::ViewOf(*image), std::span(pixels).subspan(row * kPixels, kPixels))
            .ok());
  }
  return pixels;
}

void ExpectBatch(train::EvaluationSource& source, const dataset::Dataset& set, int64_t number) {
  const auto batch = source.Load(number, seconds(20));
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ((*batch)->first_image, 4 * number);
  EXPECT_EQ((*batch)->images, std::min<int64_t>(4, set.images() - 4 * number));
  EXPECT_TRUE((*batch)->pixels_B3HW == Expected(set, number)) << "batch " << number;
}

TEST(EvaluationSource, GivesEveryImageOnceAndPadsWithZeros) {
  const SmallDataset small(11);
  const auto set = small.Open();
  auto source = MakeEvaluationSource(set, Options());
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->images(), 11);
  EXPECT_EQ((*source)->batch(), 4);
  for (int round = 0; round < 2; ++round) {
    for (int64_t number = 0; number < 3; ++number) ExpectBatch(**source, *set, number);
  }
}

TEST(EvaluationSource, TakesAnyOrderAndStride) {
  const SmallDataset small(23);
  const auto set = small.Open();
  EvaluationOptions options = Options();
  options.world_size = 2;
  options.rank = 1;
  options.threads = 3;
  auto source = MakeEvaluationSource(set, options);
  ASSERT_TRUE(source.ok());
  for (const int64_t number : {1, 3, 5, 0, 0, 4, 2, 5, 1}) ExpectBatch(**source, *set, number);
}

TEST(EvaluationSource, KnowsTheLabels) {
  const SmallDataset small(7);
  const auto set = small.Open();
  auto source = MakeEvaluationSource(set, Options());
  ASSERT_TRUE(source.ok());
  const std::vector<uint8_t>& labels = (*source)->labels_NK();
  ASSERT_EQ(labels.size(), 7u * 4u);
  for (int i = 0; i < 7; ++i) {
    for (int k = 0; k < 4; ++k) {
      const bool carries = k == 3 ? i % 5 == 0 : k == i % 3;
      EXPECT_EQ(labels[4 * i + k], carries) << "image " << i << " class " << k;
    }
  }
}

TEST(EvaluationSource, RefusesWhatDoesNotExist) {
  const SmallDataset small(7);
  auto source = MakeEvaluationSource(small.Open(), Options());
  ASSERT_TRUE(source.ok());
  EXPECT_FALSE((*source)->Load(2, seconds(5)).ok());
  EXPECT_FALSE((*source)->Load(-1, seconds(5)).ok());
  EvaluationOptions none = Options();
  none.batch = 0;
  EXPECT_FALSE(MakeEvaluationSource(small.Open(), none).ok());
}

TEST(EvaluationSource, NamesAnImageThatCannotBeDecoded) {
  const SmallDataset small(7);
  small.Damage(5);
  auto source = MakeEvaluationSource(small.Open(), Options());
  ASSERT_TRUE(source.ok());
  EXPECT_TRUE((*source)->Load(0, seconds(20)).ok());
  EXPECT_THAT(std::string((*source)->Load(1, seconds(20)).status().message()),
              testing::HasSubstr("5.jpg"));
}

}  // namespace
}  // namespace ltml::data
