#include "common/config/duration.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace ltml::config {
namespace {

constexpr std::array<std::pair<std::string_view, double>, 4> kUnits = {
    {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}}};

std::optional<double> ParseNumber(std::string_view digits) {
  double number = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || stop != end || !(number >= 0) || number > 1e9) return std::nullopt;
  return number;
}

}  // namespace

std::optional<google::protobuf::Duration> ParseDuration(std::string_view text) {
  const size_t split = text.find_first_not_of("0123456789.");
  if (split == std::string_view::npos || split == 0) return std::nullopt;
  const std::optional<double> number = ParseNumber(text.substr(0, split));
  if (!number) return std::nullopt;
  for (const auto& [unit, seconds] : kUnits) {
    if (text.substr(split) != unit) continue;
    const double total = *number * seconds;
    const double whole = std::floor(total);
    const int64_t nanos = std::llround((total - whole) * 1e9);
    google::protobuf::Duration duration;
    duration.set_seconds(static_cast<int64_t>(whole) + nanos / 1'000'000'000);
    duration.set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
    return duration;
  }
  return std::nullopt;
}

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() * 1e-9;
}

std::string DurationText(const google::protobuf::Duration& duration) {
  return fmt::format("{}s", Seconds(duration));
}

}  // namespace ltml::config
