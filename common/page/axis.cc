#include "common/page/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/base/text.h"

namespace ltml::page {
namespace {

double RoundStep(double rough) {
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double share = rough / power;
  return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

// Digits after the point that a multiple of `step` needs.
int DigitsOf(double step) {
  return std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 12);
}

std::vector<double> Multiples(const Axis& axis) {
  std::vector<double> ticks;
  const double first = std::ceil(axis.low / axis.step - 1e-9);
  const double last = std::floor(axis.high / axis.step + 1e-9);
  for (double i = first; i <= last; ++i) ticks.push_back(i == 0 ? 0 : i * axis.step);
  return ticks;
}

std::string Short(double value, double unit, const char* suffix) {
  return fmt::format("{:.4g}{}", value / unit, suffix);
}

}  // namespace

Axis AxisAround(double low, double high, int count) {
  Axis axis = AxisWithin(low, high, count);
  axis.low = std::floor(axis.low / axis.step + 1e-9) * axis.step;
  axis.high = std::ceil(axis.high / axis.step - 1e-9) * axis.step;
  axis.ticks = Multiples(axis);
  return axis;
}

Axis AxisWithin(double low, double high, int count) {
  if (high - low < 1e-12 * std::max(1.0, std::abs(high))) {
    const double spread = low == 0 ? 1 : std::abs(low) / 2;
    low -= spread;
    high += spread;
  }
  Axis axis{.low = low, .high = high, .ticks = {}};
  axis.step = RoundStep((high - low) / std::max(count - 1, 1));
  axis.ticks = Multiples(axis);
  return axis;
}

std::string Axis::Label(double tick) const {
  const double largest = std::max(std::abs(low), std::abs(high));
  if (largest >= 1e7) return Short(tick, 1e6, "M");
  if (largest >= 1e4) return Short(tick, 1e3, "k");
  if (step >= 1) return base::GroupedNumber(std::llround(tick));
  return fmt::format("{:.{}f}", tick, DigitsOf(step));
}

}  // namespace ltml::page
