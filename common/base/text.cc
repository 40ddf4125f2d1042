#include "common/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ltml::base {

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string GroupedNumber(int64_t number) {
  std::string text = std::to_string(number);
  const size_t first = number < 0 ? 1 : 0;
  for (size_t place = text.size(); place > first + 3; place -= 3) text.insert(place - 3, 1, ',');
  return text;
}

std::string TimeText(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "unknown time";
  const int64_t whole = std::llround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace ltml::base
