#include "common/page/plot.h"

#include <fmt/format.h>

namespace ltml::page {
namespace {

constexpr double kTickLength = 4;
constexpr double kNarrow = 600;

std::string_view NameOf(Ink ink) {
  switch (ink) {
    case Ink::kUniform:
      return "uniform";
    case Ink::kRebalanced:
      return "rebalanced";
    case Ink::kTotal:
      return "total";
    case Ink::kHead:
      return "head";
    case Ink::kMedium:
      return "medium";
    case Ink::kTail:
      return "tail";
    case Ink::kWait:
      return "wait";
    case Ink::kMuted:
      return "muted";
  }
  return "muted";
}

}  // namespace

std::string InkClass(std::string_view kind, Ink ink) {
  return fmt::format("{} ink-{}", kind, NameOf(ink));
}

std::string Number(double value) { return fmt::format("{:.1f}", value); }

Html TextAt(double x, double y, std::string_view anchor, std::string_view css,
            std::string_view text) {
  return Element("text",
                 {{"x", Number(x)},
                  {"y", Number(y)},
                  {"text-anchor", std::string(anchor)},
                  {css.empty() ? "" : "class", std::string(css)}},
                 text);
}

Html LineFrom(double x1, double y1, double x2, double y2, std::string_view css) {
  return Element("line",
                 {{"x1", Number(x1)},
                  {"y1", Number(y1)},
                  {"x2", Number(x2)},
                  {"y2", Number(y2)},
                  {"class", std::string(css)}},
                 Html());
}

Html Rectangle(const Area& area, std::string_view css, const Html& content) {
  return Element("rect",
                 {{"x", Number(area.x)},
                  {"y", Number(area.y)},
                  {"width", Number(area.width)},
                  {"height", Number(area.height)},
                  {"class", std::string(css)}},
                 content);
}

double Place(const Axis& axis, double value, double from, double to) {
  return from + (value - axis.low) / (axis.high - axis.low) * (to - from);
}

Html LeftAxis(const Axis& axis, const Area& area) {
  Html drawing;
  for (const double tick : axis.ticks) {
    const double y = Place(axis, tick, area.bottom(), area.y);
    drawing += LineFrom(area.x, y, area.right(), y, "grid");
    drawing += TextAt(area.x - 8, y + 4, "end", "", axis.Label(tick));
  }
  return drawing;
}

Html BottomAxis(const Axis& axis, const Area& area, std::string_view title) {
  Html drawing = LineFrom(area.x, area.bottom(), area.right(), area.bottom(), "axis");
  for (const double tick : axis.ticks) {
    const double x = Place(axis, tick, area.x, area.right());
    drawing += LineFrom(x, area.bottom(), x, area.bottom() + kTickLength, "axis");
    drawing += TextAt(x, area.bottom() + 18, "middle", "", axis.Label(tick));
  }
  return drawing + TextAt(area.right(), area.bottom() + 34, "end", "", title);
}

Html Figure(const ChartText& text, const Html& legend, double width, double height,
            const Html& drawing) {
  const std::string title = text.id + "-title";
  const std::string summary = text.id + "-summary";
  const Html svg = Element("svg",
                           {{"viewBox", fmt::format("0 0 {:.0f} {:.0f}", width, height)},
                            {width > kNarrow ? "class" : "", "wide"},
                            {"role", "img"},
                            {"aria-labelledby", title},
                            {"aria-describedby", summary}},
                           drawing);
  return Element("figure", {{"id", text.id}},
                 Element("figcaption", {{"id", title}}, text.title) + legend + svg +
                     Element("p", {{"class", "unseen"}, {"id", summary}}, text.summary));
}

Html InkLegend(const std::vector<std::pair<std::string, Ink>>& entries) {
  Html items;
  for (const auto& [name, ink] : entries) {
    const Html swatch =
        Element("svg", {{"viewBox", "0 0 12 12"}, {"class", "swatch"}, {"aria-hidden", "true"}},
                Rectangle({0, 0, 12, 12}, InkClass("fill", ink)));
    items += Element("li", {}, swatch + Html::Text(name));
  }
  return Element("ul", {{"class", "legend"}}, items);
}

}  // namespace ltml::page
