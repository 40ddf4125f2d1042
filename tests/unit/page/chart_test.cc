#include "common/page/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <regex>

#include "tests/unit/page/markup.h"

namespace ltml::page {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Values of an attribute in all elements of a class, in order.
std::vector<double> Values(const std::string& markup, const std::string& tag,
                           const std::string& attribute, const std::string& css) {
  std::vector<double> values;
  const std::regex element("<" + tag + " [^>]*>");
  for (std::sregex_iterator it(markup.begin(), markup.end(), element), end; it != end; ++it) {
    const std::string text = it->str();
    std::smatch found;
    if (text.find("class=\"" + css) == std::string::npos) continue;
    if (std::regex_search(text, found, std::regex(" " + attribute + "=\"([-0-9.]+)\""))) {
      values.push_back(std::stod(found[1]));
    }
  }
  return values;
}

LineChart OneLine(std::vector<Point> points) {
  LineChart chart;
  chart.text = {.id = "loss", .title = "Loss", .summary = "It falls."};
  chart.lines = {{.name = "total", .ink = Ink::kTotal, .points = std::move(points)}};
  return chart;
}

TEST(LineChart, NamesAndDescribesItself) {
  const std::string markup = Draw(OneLine({{0, 1}, {10, 0.5}})).markup();
  ExpectSound(markup);
  EXPECT_THAT(markup, HasSubstr("role=\"img\" aria-labelledby=\"loss-title\""));
  EXPECT_THAT(markup, HasSubstr("<figcaption id=\"loss-title\">Loss</figcaption>"));
  EXPECT_THAT(markup, HasSubstr("id=\"loss-summary\">It falls.</p>"));
  EXPECT_THAT(markup, HasSubstr(">total</text>"));
}

TEST(LineChart, LeavesGapsWhereNothingIs) {
  const std::string markup =
      Draw(OneLine({{0, 1}, {1, 2}, {2, kNan}, {3, 1}, {4, INFINITY}, {5, 1}, {6, 1}})).markup();
  std::smatch path;
  ASSERT_TRUE(std::regex_search(markup, path, std::regex(" d=\"([^\"]*)\"")));
  const std::string drawn = path[1];
  EXPECT_EQ(std::ranges::count(drawn, 'M'), 3);
  EXPECT_EQ(std::ranges::count(drawn, 'L'), 2);
  EXPECT_THAT(markup, Not(HasSubstr("nan")));
  EXPECT_THAT(markup, Not(HasSubstr("inf")));
}

TEST(LineChart, WithoutPointsSaysSo) {
  const std::string markup = Draw(OneLine({{1, kNan}})).markup();
  EXPECT_EQ(markup, "<p id=\"loss\" class=\"nothing\">Loss: nothing yet.</p>");
}

TEST(LineChart, NamesOfLinesNeverTouch) {
  LineChart chart = OneLine({});
  chart.lines.clear();
  for (int i = 0; i < 8; ++i) {
    chart.lines.push_back({.name = "line", .ink = Ink::kTail, .points = {{0, 0}, {1, 0.001 * i}}});
  }
  std::vector<double> places = Values(Draw(chart).markup(), "text", "y", "name");
  ASSERT_EQ(places.size(), 8u);
  std::ranges::sort(places);
  for (size_t i = 1; i < places.size(); ++i) EXPECT_GE(places[i] - places[i - 1], 15.9);
  EXPECT_GE(places.front(), 0);
  EXPECT_LE(places.back(), 270);
}

TEST(BarChart, PartsAreProportionalAndStacked) {
  BarChart chart;
  chart.text = {.id = "ranks", .title = "Ranks", .summary = ""};
  chart.unit = "s";
  chart.parts = {{"compute", Ink::kUniform}, {"wait", Ink::kWait}};
  chart.bars = {{.name = "rank 0", .note = "slow", .values = {3, 1}},
                {.name = "rank 1", .note = "", .values = {1, 3}}};
  const std::string markup = Draw(chart).markup();
  ExpectSound(markup);
  std::vector<double> compute = Values(markup, "rect", "width", "fill ink-uniform");
  const std::vector<double> waits = Values(markup, "rect", "width", "fill ink-wait");
  const std::vector<double> places = Values(markup, "rect", "x", "fill ink-wait");
  // The legend's swatch comes first.
  ASSERT_EQ(compute.size(), 3u);
  EXPECT_NEAR(compute[1], 3 * compute[2], 0.2);
  EXPECT_NEAR(waits[2], 3 * waits[1], 0.2);
  EXPECT_NEAR(places[1], 80 + compute[1], 0.2);
  EXPECT_THAT(markup, HasSubstr(">slow</text>"));
  EXPECT_THAT(markup, HasSubstr("<title>rank 1, wait: 3 s</title>"));
  chart.bars = {{.name = "rank 0", .note = "", .values = {0, 0}}};
  EXPECT_THAT(Draw(chart).markup(), HasSubstr("nothing yet"));
}

TEST(ColumnChart, HeightsAreLogarithmic) {
  ColumnChart chart;
  chart.text = {.id = "tail", .title = "Tail", .summary = ""};
  for (const double height : {1000.0, 100.0, 10.0, 1.0, 0.0}) {
    chart.columns.push_back({.name = "c", .ink = Ink::kHead, .height = height, .dot = 0.25});
  }
  const std::string markup = Draw(chart).markup();
  ExpectSound(markup);
  const std::vector<double> heights = Values(markup, "rect", "height", "fill");
  ASSERT_EQ(heights.size(), 4u) << "none for a class without images";
  EXPECT_NEAR(heights[0] - heights[1], heights[1] - heights[2], 0.2);
  EXPECT_NEAR(heights[1] - heights[2], heights[2] - heights[3], 0.2);
  EXPECT_GE(heights[3], 2.9) << "one image is seen too";
  const std::vector<double> dots = Values(markup, "circle", "cy", "fill");
  ASSERT_EQ(dots.size(), 5u);
  EXPECT_NEAR(dots[0], 298 - 0.25 * 84, 0.2);
}

TEST(ColumnChart, ManyClassesStayInside) {
  ColumnChart chart;
  chart.text = {.id = "tail", .title = "Tail", .summary = ""};
  for (int i = 0; i < 1000; ++i) chart.columns.push_back({.name = "c", .height = 5, .dot = {}});
  const std::string markup = Draw(chart).markup();
  EXPECT_LT(markup.size(), 200'000u);
  const std::vector<double> places = Values(markup, "rect", "x", "fill");
  EXPECT_GE(places.front(), 50);
  EXPECT_LE(places.back(), 1154);
}

TEST(Charts, NoNameBreaksThem) {
  for (const std::string& name : NastyNames()) {
    LineChart lines = OneLine({{0, 1}, {1, 2}});
    lines.text.title = lines.text.summary = lines.x_title = lines.lines[0].name = name;
    lines.marks = true;
    ExpectSound(Draw(lines).markup());
    BarChart bars;
    bars.text = {.id = "b", .title = name, .summary = name};
    bars.parts = {{name, Ink::kWait}};
    bars.bars = {{.name = name, .note = name, .values = {1}}};
    ExpectSound(Draw(bars).markup());
    ColumnChart columns;
    columns.text = {.id = "c", .title = name, .summary = name};
    columns.columns = {{.name = name, .height = 3, .dot = 0.5}};
    ExpectSound(Draw(columns).markup());
  }
}

TEST(Cells, BarsNeverVanishAndNeverOverflow) {
  const auto width = [](double value, double largest) {
    return Values(CellBar(value, largest, Ink::kTail).markup(), "rect", "width", "fill")[0];
  };
  EXPECT_EQ(width(0, 10), 0);
  EXPECT_EQ(width(1e-9, 10), 1);
  EXPECT_EQ(width(5, 10), 30);
  EXPECT_EQ(width(20, 10), 60);
  EXPECT_EQ(width(0, 0), 0);
  EXPECT_EQ(width(1, 0), 1);
}

TEST(Cells, LinesNeedTwoPoints) {
  EXPECT_TRUE(CellLine({}).empty());
  EXPECT_TRUE(CellLine({0.5, kNan}).empty());
  const std::string markup = CellLine({0, kNan, 0.2, 0.1}).markup();
  ExpectSound(markup);
  EXPECT_THAT(markup, HasSubstr("d=\"M2.5 19.5L36.0 2.5L69.5 11.0\""));
  EXPECT_THAT(CellLine({0, 0}).markup(), Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace ltml::page
