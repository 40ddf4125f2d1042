#include "common/page/axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace ltml::page {
namespace {

using testing::ElementsAre;

std::vector<std::string> Labels(const Axis& axis) {
  std::vector<std::string> labels;
  for (const double tick : axis.ticks) labels.push_back(axis.Label(tick));
  return labels;
}

TEST(Axis, ChoosesRoundNumbers) {
  EXPECT_THAT(Labels(AxisAround(0, 0.83, 5)), ElementsAre("0.0", "0.5", "1.0"));
  EXPECT_THAT(Labels(AxisAround(3, 78, 5)), ElementsAre("0", "20", "40", "60", "80"));
  EXPECT_THAT(Labels(AxisWithin(1, 320, 7)), ElementsAre("100", "200", "300"));
  EXPECT_THAT(Labels(AxisWithin(0, 45000, 4)), ElementsAre("0k", "20k", "40k"));
  EXPECT_THAT(Labels(AxisAround(0, 3e7, 4)), ElementsAre("0M", "10M", "20M", "30M"));
  EXPECT_THAT(Labels(AxisAround(-0.3, 0.2, 5)), ElementsAre("-0.4", "-0.2", "0.0", "0.2"));
  EXPECT_THAT(Labels(AxisAround(1500, 4500, 4)),
              ElementsAre("1,000", "2,000", "3,000", "4,000", "5,000"));
}

TEST(Axis, SpreadsEqualEnds) {
  for (const double value : {0.0, 5.0, -3.0, 1e9}) {
    for (const Axis& axis : {AxisAround(value, value, 5), AxisWithin(value, value, 5)}) {
      EXPECT_LT(axis.low, value);
      EXPECT_GT(axis.high, value);
      EXPECT_FALSE(axis.ticks.empty());
    }
  }
}

TEST(Axis, HoldsWhatItIsAbout) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const double scale = std::pow(10, std::uniform_real_distribution<>(-8, 8)(random));
    const double low = scale * std::uniform_real_distribution<>(-1, 1)(random);
    const double high = low + scale * std::uniform_real_distribution<>(0.01, 1)(random);
    const Axis around = AxisAround(low, high, 5), within = AxisWithin(low, high, 5);
    EXPECT_LE(around.low, low + 1e-9 * scale);
    EXPECT_GE(around.high, high - 1e-9 * scale);
    EXPECT_GE(around.ticks.size(), 2u);
    EXPECT_LE(around.ticks.size(), 7u);
    EXPECT_EQ(within.low, low);
    EXPECT_EQ(within.high, high);
    for (const double tick : within.ticks) {
      EXPECT_GE(tick, low - 1e-6 * scale);
      EXPECT_LE(tick, high + 1e-6 * scale);
    }
  }
}

}  // namespace
}  // namespace ltml::page
