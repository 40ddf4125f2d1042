#include "worker/data/augment.h"

#include <cmath>
#include <filesystem>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"
#include "simdjson.h"

namespace ltml::data {
namespace {

image::Image Gradient(int width, int height) {
  image::Image image{width, height, {}};
  for (int p = 0; p < width * height; ++p) {
    const int x = p % width, y = p / width;
    image.rgb.insert(image.rgb.end(), {static_cast<uint8_t>(9 * x), static_cast<uint8_t>(7 * y),
                                       static_cast<uint8_t>(x * y)});
  }
  return image;
}

TEST(PositionRandom, DependsOnSeedStreamAndPositionAlone) {
  PositionRandom a(5, 0, 77), same(5, 0, 77), seed(6, 0, 77), stream(5, 1, 77), position(5, 0, 78);
  const uint32_t first = a.Bits();
  EXPECT_EQ(first, same.Bits());
  EXPECT_NE(first, seed.Bits());
  EXPECT_NE(first, stream.Bits());
  EXPECT_NE(first, position.Bits());
}

// Philox4x32-10's published answer to an all-zero counter and key.
TEST(PositionRandom, IsPhilox) {
  PositionRandom random(0, 0, 0);
  EXPECT_EQ(random.Bits(), 0x6627e8d5u);
  EXPECT_EQ(random.Bits(), 0xe169c58du);
  EXPECT_EQ(random.Bits(), 0xbc57ac4cu);
  EXPECT_EQ(random.Bits(), 0x9b00dbd8u);
}

TEST(DrawAugmentation, KeepsCropsWithinScaleAndRatio) {
  const AugmentOptions options;
  double area_sum = 0;
  int flips = 0;
  constexpr int kDraws = 4000;
  for (int i = 0; i < kDraws; ++i) {
    PositionRandom random(1, 0, i);
    const Augmentation drawn = DrawAugmentation(options, 200, 180, random);
    const int width = drawn.crop.right - drawn.crop.left;
    const int height = drawn.crop.bottom - drawn.crop.top;
    ASSERT_GE(drawn.crop.left, 0);
    ASSERT_GE(drawn.crop.top, 0);
    ASSERT_LE(drawn.crop.right, 200);
    ASSERT_LE(drawn.crop.bottom, 180);
    ASSERT_NEAR(std::log(static_cast<double>(width) / height), 0, std::log(4.0 / 3) + 0.03);
    ASSERT_GE(width * height, 0.08 * 200 * 180 * 0.97);
    area_sum += width * height / (200.0 * 180.0);
    flips += drawn.flip;
    for (const JitterStep& step : drawn.jitter) {
      ASSERT_GE(step.factor, 0.6f);
      ASSERT_LE(step.factor, 1.4f);
    }
  }
  // Half of 4000, standard deviation 32: five of them, so failure by chance is below 1e-6.
  EXPECT_NEAR(flips, kDraws / 2, 160);
  // Large crops are drawn again more often, so the mean lies a little under (0.08 + 1) / 2.
  EXPECT_NEAR(area_sum / kDraws, 0.50, 0.04);
}

TEST(DrawAugmentation, FallsBackToTheCentreOfStrips) {
  for (int i = 0; i < 50; ++i) {
    PositionRandom random(1, 1, i);
    const image::Box wide = DrawAugmentation({.crop_scale = {0.9, 1}}, 4000, 30, random).crop;
    EXPECT_EQ(wide.bottom - wide.top, 30);
    EXPECT_EQ(wide.right - wide.left, 40);
    EXPECT_EQ(wide.left, 1980);
    const image::Box dot = DrawAugmentation({}, 4000, 1, random).crop;
    EXPECT_EQ(dot.bottom - dot.top, 1);
    EXPECT_EQ(dot.right - dot.left, 1);
  }
}

TEST(DrawAugmentation, DrawsEveryOrderOfTheJitter) {
  std::array<int, 3> first = {}, second = {};
  constexpr int kDraws = 3000;
  for (int i = 0; i < kDraws; ++i) {
    PositionRandom random(3, 0, i);
    const Augmentation drawn = DrawAugmentation({}, 50, 50, random);
    ++first[static_cast<int>(drawn.jitter[0].kind)];
    ++second[static_cast<int>(drawn.jitter[1].kind)];
  }
  // Standard deviation 26: five of them, failure by chance below 1e-5 for the six counts.
  for (const int count : first) EXPECT_NEAR(count, kDraws / 3, 130);
  for (const int count : second) EXPECT_NEAR(count, kDraws / 3, 130);
}

TEST(ApplyJitter, ComputesByHandWorkedValues) {
  const std::vector<float> start = {100, 200, 50, 0, 10, 250};  // R R G G B B of two pixels
  std::vector<float> bright = start;
  ApplyJitter(std::vector<JitterStep>{{Jitter::kBrightness, 1.5f}}, bright);
  EXPECT_EQ(bright, (std::vector<float>{150, 255, 75, 0, 15, 255}));
  // grey: 0.299 * 100 + 0.587 * 50 + 0.114 * 10 = 60.39; 0.299 * 200 + 0.114 * 250 = 88.3.
  std::vector<float> grey = start;
  ApplyJitter(std::vector<JitterStep>{{Jitter::kSaturation, 0.0f}}, grey);
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(grey[2 * c], 60.39, 1e-4);
    EXPECT_NEAR(grey[2 * c + 1], 88.3, 1e-4);
  }
  // mean grey 74.345: 0.5 * 100 + 0.5 * 74.345 = 87.1725.
  std::vector<float> contrast = start;
  ApplyJitter(std::vector<JitterStep>{{Jitter::kContrast, 0.5f}}, contrast);
  EXPECT_NEAR(contrast[0], 87.1725, 1e-4);
  EXPECT_NEAR(contrast[3], 37.1725, 1e-4);
}

TEST(Normalise, EqualsTheGoldenValues) {
  simdjson::dom::parser parser;
  const auto file = std::filesystem::path(LTML_SOURCE_DIR) / "tests/golden/resize.json";
  const simdjson::dom::element golden = parser.load(file.string())["normalise"];
  image::Image image{
      static_cast<int>(int64_t{golden["width"]}), static_cast<int>(int64_t{golden["height"]}), {}};
  for (const int64_t value : golden["input_hwc"].get_array()) {
    image.rgb.push_back(static_cast<uint8_t>(value));
  }
  std::vector<float> pixels(image.rgb.size());
  ToPlanes(image, false, pixels);
  Normalise(pixels);
  size_t i = 0;
  for (const double value : golden["output_chw"].get_array()) EXPECT_NEAR(pixels[i++], value, 2e-6);
  EXPECT_EQ(i, pixels.size());
}

TEST(ToPlanes, Mirrors) {
  const image::Image image = Gradient(5, 4);
  std::vector<float> plain(60), mirrored(60);
  ToPlanes(image, false, plain);
  ToPlanes(image, true, mirrored);
  for (int row = 0; row < 12; ++row) {
    for (int x = 0; x < 5; ++x) EXPECT_EQ(plain[5 * row + x], mirrored[5 * row + 4 - x]);
  }
}

TEST(RenderTraining, OfTheWholeImageUnchangedIsNormalisationAlone) {
  const image::Image image = Gradient(6, 6);
  std::vector<float> rendered(108), expected(108);
  ASSERT_TRUE(RenderTraining(image, {.crop = {0, 0, 6, 6}}, 6, rendered).ok());
  ToPlanes(image, false, expected);
  Normalise(expected);
  EXPECT_EQ(rendered, expected);
}

TEST(RenderEvaluation, CutsTheCentreOfTheScaledImage) {
  const image::Image image = Gradient(21, 14);
  // 14 is the short side: scaled to round(7 * 256 / 224) = 8, the long one to 8 * 21 / 14 = 12.
  const auto scaled = image::Resize(image, {0, 0, 21, 14}, 12, 8);
  ASSERT_TRUE(scaled.ok());
  std::vector<float> rendered(3 * 49), whole(3 * 96);
  ASSERT_TRUE(RenderEvaluation(image, 7, rendered).ok());
  ToPlanes(*scaled, false, whole);
  Normalise(whole);
  // left = round(2.5) = 2, to even; top = round(0.5) = 0.
  for (int y = 0; y < 7; ++y) {
    for (int x = 0; x < 7; ++x) EXPECT_NEAR(rendered[7 * y + x], whole[12 * y + x + 2], 0.02);
  }
}

TEST(RenderEvaluation, CopesWithStrips) {
  std::vector<float> pixels(3 * 64 * 64);
  const image::Image strip{4000, 1, std::vector<uint8_t>(12000, 9)};
  EXPECT_TRUE(RenderEvaluation(strip, 64, pixels).ok());
  const image::Image pole{1, 4000, std::vector<uint8_t>(12000, 9)};
  EXPECT_TRUE(RenderEvaluation(pole, 64, pixels).ok());
}

}  // namespace
}  // namespace ltml::data
