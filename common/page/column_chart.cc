#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/page/plot.h"

namespace ltml::page {
namespace {

constexpr double kWidth = 1160, kHeight = 330;
constexpr Area kHeights{50, 24, 1104, 150};
constexpr Area kDots{50, 214, 1104, 84};
constexpr double kWidestColumn = 28;

// Powers of ten that hold all heights from 1 on.
Axis DecadeAxis(const std::vector<Column>& columns) {
  double largest = 10;
  for (const Column& column : columns) largest = std::max(largest, column.height);
  Axis axis{.low = 0, .high = std::ceil(std::log10(largest)), .ticks = {}};
  for (double decade = 0; decade <= axis.high; ++decade) axis.ticks.push_back(decade);
  return axis;
}

Html DrawColumn(const Column& column, const Axis& decades, double left, double pitch) {
  Html drawing;
  const double width = std::max(std::min(pitch * 0.8, kWidestColumn), 0.5);
  const double x = left + (pitch - width) / 2;
  std::string told = fmt::format("{}: {:.0f}", column.name, column.height);
  if (column.dot) told += fmt::format(", {:.1f} %", 100 * *column.dot);
  if (column.height >= 1) {
    // A column of height 1 is seen too.
    const double top = Place(decades, std::log10(column.height), kHeights.bottom() - 3, kHeights.y);
    drawing += Rectangle({x, top, width, kHeights.bottom() - top}, InkClass("fill", column.ink),
                         Element("title", {}, told));
  }
  if (!column.dot) return drawing;
  return drawing + Element("circle",
                           {{"cx", Number(left + pitch / 2)},
                            {"cy", Number(kDots.bottom() - *column.dot * kDots.height)},
                            {"r", Number(std::clamp(pitch / 3, 1.2, 4.0))},
                            {"class", InkClass("fill", column.ink)}},
                           Element("title", {}, told));
}

Html HeightAxis(const Axis& decades) {
  Html drawing;
  for (const double decade : decades.ticks) {
    const double y = Place(decades, decade, kHeights.bottom(), kHeights.y);
    const Axis counts{.high = std::pow(10, decade), .ticks = {}};
    drawing += LineFrom(kHeights.x, y, kHeights.right(), y, "grid");
    drawing += TextAt(kHeights.x - 8, y + 4, "end", "", counts.Label(std::pow(10, decade)));
  }
  return drawing;
}

}  // namespace

Html Draw(const ColumnChart& chart) {
  if (chart.columns.empty()) {
    return Element("p", {{"id", chart.text.id}, {"class", "nothing"}},
                   fmt::format("{}: nothing yet.", chart.text.title));
  }
  const Axis decades = DecadeAxis(chart.columns);
  Html drawing = HeightAxis(decades);
  drawing += TextAt(kHeights.x, kHeights.y - 10, "start", "", chart.height_title);
  drawing += LeftAxis(AxisAround(0, 1, 3), kDots);
  drawing += TextAt(kDots.x, kDots.y - 10, "start", "", chart.dot_title);
  drawing += TextAt(kDots.right(), kDots.bottom() + 20, "end", "", chart.x_title);
  const double pitch = kHeights.width / static_cast<double>(chart.columns.size());
  double left = kHeights.x;
  for (const Column& column : chart.columns) {
    drawing += DrawColumn(column, decades, left, pitch);
    left += pitch;
  }
  return Figure(chart.text, Html(), kWidth, kHeight, drawing);
}

}  // namespace ltml::page
