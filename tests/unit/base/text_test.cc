#include "common/base/text.h"

#include <gtest/gtest.h>

#include "common/base/durations.h"

namespace ltml::base {
namespace {

TEST(TimeText, ChoosesUnits) {
  EXPECT_EQ(TimeText(0.4), "0 s");
  EXPECT_EQ(TimeText(59.4), "59 s");
  EXPECT_EQ(TimeText(185), "3 min 05 s");
  EXPECT_EQ(TimeText(7620), "2 h 07 min");
  EXPECT_EQ(TimeText(-1), "unknown time");
}

TEST(GroupedNumber, PutsCommas) {
  EXPECT_EQ(GroupedNumber(0), "0");
  EXPECT_EQ(GroupedNumber(999), "999");
  EXPECT_EQ(GroupedNumber(1000), "1,000");
  EXPECT_EQ(GroupedNumber(-1234567), "-1,234,567");
}

TEST(Durations, CountsAtOrBelowEachBound) {
  Durations durations({1, 10});
  durations.Add(1);
  durations.Add(1.5, 3);
  durations.Add(10);
  durations.Add(11);
  EXPECT_EQ(durations.counts(), (std::vector<int64_t>{1, 4, 1}));
  EXPECT_EQ(durations.sum_seconds(), 1 + 4.5 + 10 + 11);
}

}  // namespace
}  // namespace ltml::base
