#include "common/config/duration.h"

#include <gtest/gtest.h>

namespace ltml::config {
namespace {

double SecondsOf(std::string_view text) {
  const auto duration = ParseDuration(text);
  return duration ? Seconds(*duration) : -1;
}

TEST(ParseDuration, ReadsUnits) {
  EXPECT_EQ(SecondsOf("500ms"), 0.5);
  EXPECT_EQ(SecondsOf("30s"), 30);
  EXPECT_EQ(SecondsOf("1.5m"), 90);
  EXPECT_EQ(SecondsOf("2h"), 7200);
  EXPECT_EQ(SecondsOf("0s"), 0);
}

TEST(ParseDuration, RoundsToNanoseconds) {
  EXPECT_EQ(ParseDuration("0.1s")->nanos(), 100'000'000);
  EXPECT_EQ(ParseDuration("1.9999999999s")->seconds(), 2);
  EXPECT_EQ(ParseDuration("1.9999999999s")->nanos(), 0);
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const char* text : {"", "30", "s", "-1s", "1 s", "1d", "1.s.s", "1e3s", "nans", "infs",
                           "99999999999s", "1ss"}) {
    EXPECT_FALSE(ParseDuration(text).has_value()) << text;
  }
}

TEST(DurationText, IsInSeconds) { EXPECT_EQ(DurationText(*ParseDuration("1500ms")), "1.5s"); }

}  // namespace
}  // namespace ltml::config
