#pragma once

#include <string>
#include <vector>

namespace ltml::page {

// A stretch of numbers with ticks at round ones: 1, 2 or 5 times a power of ten apart.
struct Axis {
  double low = 0, high = 1;   // low < high
  double step = 1;            // between ticks
  std::vector<double> ticks;  // ascending, within [low, high]
  // As the axis prints a tick: "0.25", "1,500", "20k", "3M".
  std::string Label(double tick) const;
};

// From a round number at or below `low` to one at or above `high`, with about `count` ticks.
// low <= high, both finite; equal ends are spread.
Axis AxisAround(double low, double high, int count);
// From `low` to `high` themselves.
Axis AxisWithin(double low, double high, int count);

}  // namespace ltml::page
