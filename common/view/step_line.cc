#include "common/view/step_line.h"

#include <simdjson.h>

#include <charconv>
#include <string>

namespace ltml::view {
namespace {

using Element = simdjson::dom::element;
using Metrics = v1::StepMetrics;

template <typename Number>
bool ReadNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// Numbers that are not finite are texts in JSON: "NaN", "Infinity", "-Infinity".
std::optional<double> NumberOf(const Element& value) {
  double number = 0;
  if (value.get(number) == simdjson::SUCCESS) return number;
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS || !ReadNumber(text, number)) return std::nullopt;
  return number;
}

struct Field {
  std::string_view name;
  void (Metrics::*set)(double);
};

constexpr Field kFields[] = {
    {"loss", &Metrics::set_loss},
    {"classification_uniform", &Metrics::set_classification_uniform},
    {"classification_rebalanced", &Metrics::set_classification_rebalanced},
    {"consistency", &Metrics::set_consistency},
    {"learning_rate", &Metrics::set_learning_rate},
    {"images_per_second", &Metrics::set_images_per_second},
    {"data_wait_ratio", &Metrics::set_data_wait_ratio},
    {"grant_wait_seconds", &Metrics::set_grant_wait_seconds},
};

}  // namespace

struct StepLineParser::Json {
  simdjson::dom::parser parser;
  std::string padded;
};

StepLineParser::StepLineParser() : json_(std::make_unique<Json>()) {}
StepLineParser::~StepLineParser() = default;

std::optional<v1::StepMetrics> StepLineParser::Parse(std::string_view line) {
  json_->padded.assign(line);
  json_->padded.reserve(line.size() + simdjson::SIMDJSON_PADDING);
  simdjson::dom::object object;
  if (json_->parser.parse(json_->padded.data(), line.size(), false).get(object) !=
      simdjson::SUCCESS) {
    return std::nullopt;
  }
  v1::StepMetrics metrics;
  Element value;
  std::string_view step;
  int64_t number = 0;
  if (object["step"].get(step) != simdjson::SUCCESS || !ReadNumber(step, number)) {
    return std::nullopt;
  }
  metrics.set_step(number);
  for (const Field& field : kFields) {
    if (object[field.name].get(value) != simdjson::SUCCESS) continue;
    const std::optional<double> read = NumberOf(value);
    if (!read) return std::nullopt;
    (metrics.*field.set)(*read);
  }
  return metrics;
}

}  // namespace ltml::view
