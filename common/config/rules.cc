#include "common/config/rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace ltml::config {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;

constexpr std::array<std::string_view, 1> kLaterKeys = {"model.sync_batch_norm"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kLaterChoices = {
    {{"streams.rebalanced", "repeat_factor"}, {"streams.rebalanced", "power"}}};

std::string BoundText(Kind kind, double bound) {
  return NumberText(bound) + (kind == Kind::kDuration ? "s" : "");
}

std::string KindText(Kind kind) {
  switch (kind) {
    case Kind::kTable:
      return "a table";
    case Kind::kText:
      return "a string";
    case Kind::kPath:
      return "a path";
    case Kind::kInteger:
      return "an integer";
    case Kind::kNumber:
      return "a number";
    case Kind::kBoolean:
      return "true or false";
    case Kind::kChoice:
      return "one of";
    case Kind::kDuration:
      return "a duration such as \"500ms\", \"30s\", \"1.5m\" or \"2h\"";
  }
  return "";
}

}  // namespace

Kind KindOf(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return field.message_type()->full_name() == "google.protobuf.Duration" ? Kind::kDuration
                                                                             : Kind::kTable;
    case FieldDescriptor::CPPTYPE_STRING:
      return RuleOf(field).path() ? Kind::kPath : Kind::kText;
    case FieldDescriptor::CPPTYPE_BOOL:
      return Kind::kBoolean;
    case FieldDescriptor::CPPTYPE_ENUM:
      return Kind::kChoice;
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Kind::kNumber;
    default:
      return Kind::kInteger;
  }
}

const v1::FieldRule& RuleOf(const FieldDescriptor& field) {
  return field.options().GetExtension(v1::rule);
}

bool Range::Contains(double value) const {
  return std::isfinite(value) && (!minimum || value >= *minimum) && (!above || value > *above) &&
         (!maximum || value <= *maximum);
}

Range RangeOf(const FieldDescriptor& field) {
  const v1::FieldRule& rule = RuleOf(field);
  Range range;
  if (rule.has_minimum()) range.minimum = rule.minimum();
  if (rule.has_maximum()) range.maximum = rule.maximum();
  if (rule.has_above()) range.above = rule.above();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64 && !range.minimum) range.minimum = 0;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
    using Limits = std::numeric_limits<int32_t>;
    range.minimum = std::max<double>(range.minimum.value_or(Limits::min()), Limits::min());
    range.maximum = std::min<double>(range.maximum.value_or(Limits::max()), Limits::max());
  }
  return range;
}

std::string ChoiceText(const EnumValueDescriptor& value) {
  return value.options().GetExtension(v1::text);
}

std::vector<std::string> ChoicesOf(const EnumDescriptor& type) {
  std::vector<std::string> texts;
  for (int i = 0; i < type.value_count(); ++i) {
    if (std::string text = ChoiceText(*type.value(i)); !text.empty()) texts.push_back(text);
  }
  return texts;
}

const EnumValueDescriptor* FindChoice(const EnumDescriptor& type, std::string_view text) {
  for (int i = 0; i < type.value_count(); ++i) {
    if (!text.empty() && ChoiceText(*type.value(i)) == text) return type.value(i);
  }
  return nullptr;
}

std::string NumberText(double number) {
  if (number == std::floor(number) && std::abs(number) <= 9007199254740992.0) {
    return fmt::format("{}", static_cast<int64_t>(number));
  }
  return fmt::format("{}", number);
}

std::string RangeText(const FieldDescriptor& field) {
  const Range range = RangeOf(field);
  const Kind kind = KindOf(field);
  const auto text = [&](double bound) { return BoundText(kind, bound); };
  if (range.minimum && range.maximum) {
    if (*range.minimum == *range.maximum) return "only " + text(*range.minimum);
    return fmt::format("from {} to {}", text(*range.minimum), text(*range.maximum));
  }
  std::string result;
  if (range.above) result = "above " + text(*range.above);
  if (range.minimum) result = "at least " + text(*range.minimum);
  if (range.maximum) result += (result.empty() ? "at most " : ", at most ") + text(*range.maximum);
  return result;
}

std::string Expected(const FieldDescriptor& field) {
  const Kind kind = KindOf(field);
  if (kind == Kind::kChoice) {
    std::vector<std::string> quoted;
    for (const std::string& text : ChoicesOf(*field.enum_type()))
      quoted.push_back('"' + text + '"');
    return fmt::format("{} {}", KindText(kind), fmt::join(quoted, ", "));
  }
  const std::string range = RangeText(field);
  return range.empty() ? KindText(kind) : KindText(kind) + " " + range;
}

std::string ExpectedArray(const FieldDescriptor& field) {
  if (KindOf(field) == Kind::kTable) return "tables under " + Heading(field);
  return "an array, each entry " + Expected(field);
}

std::string Heading(const FieldDescriptor& table) {
  return table.is_repeated() ? fmt::format("[[{}]]", table.name())
                             : fmt::format("[{}]", table.name());
}

std::vector<std::string> FieldNames(const google::protobuf::Descriptor& message) {
  std::vector<std::string> names;
  for (int i = 0; i < message.field_count(); ++i) names.push_back(message.field(i)->name());
  return names;
}

bool ComesLater(std::string_view path) {
  return std::find(kLaterKeys.begin(), kLaterKeys.end(), path) != kLaterKeys.end();
}

bool ComesLater(std::string_view path, std::string_view choice) {
  return std::find(kLaterChoices.begin(), kLaterChoices.end(), std::pair(path, choice)) !=
         kLaterChoices.end();
}

}  // namespace ltml::config
