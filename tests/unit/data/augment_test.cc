#include "worker/data/augment.h"

#include <cmath>

#include "gtest/gtest.h"

namespace ltml::data {
namespace {

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

}  // namespace
}  // namespace ltml::data
