#pragma once

#include <string>
#include <vector>

#include "common/page/axis.h"
#include "common/page/chart.h"

namespace ltml::page {

// What the charts share.  Lengths are units of the SVG's view box.

// "line-chart uniform".
std::string InkClass(std::string_view kind, Ink ink);
std::string Number(double value);  // one digit after the point

// A rectangle whose left edge is x, and whose lower edge is y + height.
struct Area {
  double x = 0, y = 0, width = 0, height = 0;
  double right() const { return x + width; }
  double bottom() const { return y + height; }
};
Html TextAt(double x, double y, std::string_view anchor, std::string_view css,
            std::string_view text);
Html LineFrom(double x1, double y1, double x2, double y2, std::string_view css);
Html Rectangle(const Area& area, std::string_view css, const Html& content = Html());

// The value's place on an axis that lies along [from, to].
double Place(const Axis& axis, double value, double from, double to);
// Grid lines with labels on the left, and ticks with labels below, with the axis' title.
Html LeftAxis(const Axis& axis, const Area& area);
Html BottomAxis(const Axis& axis, const Area& area, std::string_view title);

// <figure> with the title as caption and the drawing, named and described for screen readers.
Html Figure(const ChartText& text, const Html& legend, double width, double height,
            const Html& drawing);

}  // namespace ltml::page
