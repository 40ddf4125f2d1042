#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/page/html.h"

namespace ltml::page {

// Charts as inline SVG, as wide as their place.  Colours are classes of style.h, which fit light,
// dark and paper; no chart tells anything by colour alone.  Each has a title and a summary in words
// for those who do not see it.

// Colours of data, and the dash of lines, by meaning: the same thing has the same ink everywhere.
enum class Ink { kUniform, kRebalanced, kTotal, kHead, kMedium, kTail, kWait, kMuted };

struct ChartText {
  std::string id;  // unique on its page; letters, digits, '-'
  std::string title;
  std::string summary;
};

struct Point {
  double x = 0, y = 0;
};
struct Line {
  std::string name;
  Ink ink = Ink::kTotal;
  std::vector<Point> points;  // x ascends; where y is not finite the line has a gap
};
struct LineChart {
  ChartText text;
  std::string x_title;
  bool marks = false;               // a dot at each point
  std::optional<double> low, high;  // that the vertical axis must hold
  std::vector<Line> lines;
};
// A sentence in place of a chart without points.
Html Draw(const LineChart& chart);

struct Bar {
  std::string name;
  std::string note;            // at its end
  std::vector<double> values;  // one a part, not negative
};
struct BarChart {
  ChartText text;
  std::vector<std::pair<std::string, Ink>> parts;
  std::vector<Bar> bars;
  std::string unit;  // "s"
};
// Horizontal bars of stacked parts, with a legend.
Html Draw(const BarChart& chart);

struct Column {
  std::string name;
  Ink ink = Ink::kTotal;
  double height = 0;
  std::optional<double> dot;  // from 0 to 1
};
struct ColumnChart {
  ChartText text;
  std::string height_title, dot_title, x_title;
  std::vector<Column> columns;
};
// Columns on a logarithmic scale, and below them a dot a column.
Html Draw(const ColumnChart& chart);

Html InkLegend(const std::vector<std::pair<std::string, Ink>>& entries);

// For a cell of a table: a bar of value / largest.
Html CellBar(double value, double largest, Ink ink);
// The course of a value from zero to its own largest; what is not finite is left out.  Empty below
// two points.
Html CellLine(const std::vector<double>& values);

}  // namespace ltml::page
