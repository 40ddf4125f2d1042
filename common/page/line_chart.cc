#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "common/page/plot.h"

namespace ltml::page {
namespace {

constexpr double kWidth = 560, kHeight = 270;
constexpr Area kArea{50, 12, 412, 210};
// Between names at the ends of lines.
constexpr double kNameHeight = 16;

bool Drawn(const Point& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void Add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

class Drawing {
 public:
  Drawing(const LineChart& chart, Axis x, Axis y)
      : chart_(chart), x_(std::move(x)), y_(std::move(y)) {}

  Html Draw() const {
    Html drawing = LeftAxis(y_, kArea) + BottomAxis(x_, kArea, chart_.x_title);
    for (const Line& line : chart_.lines) {
      drawing += Course(line);
      if (chart_.marks) drawing += Marks(line);
    }
    return drawing + Names();
  }

 private:
  double X(const Point& point) const { return Place(x_, point.x, kArea.x, kArea.right()); }
  double Y(const Point& point) const { return Place(y_, point.y, kArea.bottom(), kArea.y); }

  Html Course(const Line& line) const {
    std::string path;
    bool pen_up = true;
    for (const Point& point : line.points) {
      if (Drawn(point)) {
        fmt::format_to(std::back_inserter(path), "{}{:.1f} {:.1f}", pen_up ? 'M' : 'L', X(point),
                       Y(point));
      }
      pen_up = !Drawn(point);
    }
    return Element("path", {{"d", path}, {"class", InkClass("line", line.ink)}}, Html());
  }

  Html Marks(const Line& line) const {
    Html marks;
    for (const Point& point : line.points) {
      if (!Drawn(point)) continue;
      const std::string told =
          fmt::format("{}: {} at {}", line.name, fmt::format("{:.4g}", point.y), x_.Label(point.x));
      marks += Element("circle",
                       {{"cx", Number(X(point))},
                        {"cy", Number(Y(point))},
                        {"r", "3.5"},
                        {"class", InkClass("fill", line.ink)}},
                       Element("title", {}, told));
    }
    return marks;
  }

  // At the ends of the lines, apart from each other.
  Html Names() const {
    struct Place {
      const Line* line;
      double y;
    };
    std::vector<Place> places;
    for (const Line& line : chart_.lines) {
      const auto last = std::find_if(line.points.rbegin(), line.points.rend(), Drawn);
      if (last != line.points.rend()) places.push_back({&line, Y(*last) + 4});
    }
    std::ranges::sort(places, {}, &Place::y);
    double lowest = kArea.y + 4;
    for (Place& place : places) lowest = (place.y = std::max(place.y, lowest)) + kNameHeight;
    double highest = kArea.bottom() + 4;
    for (auto place = places.rbegin(); place != places.rend(); ++place) {
      highest = (place->y = std::min(place->y, highest)) - kNameHeight;
    }
    Html names;
    for (const auto& [line, y] : places) {
      names += TextAt(kArea.right() + 10, y, "start", InkClass("name", line->ink), line->name);
    }
    return names;
  }

  const LineChart& chart_;
  const Axis x_, y_;
};

}  // namespace

Html Draw(const LineChart& chart) {
  Extent x, y;
  for (const Line& line : chart.lines) {
    for (const Point& point : line.points) {
      if (!Drawn(point)) continue;
      x.Add(point.x);
      y.Add(point.y);
    }
  }
  if (x.empty()) {
    return Element("p", {{"id", chart.text.id}, {"class", "nothing"}},
                   fmt::format("{}: nothing yet.", chart.text.title));
  }
  if (chart.low) y.Add(*chart.low);
  if (chart.high) y.Add(*chart.high);
  const Drawing drawing(chart, AxisWithin(x.low, x.high, 7), AxisAround(y.low, y.high, 5));
  return Figure(chart.text, Html(), kWidth, kHeight, drawing.Draw());
}

}  // namespace ltml::page
