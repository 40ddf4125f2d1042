#include "common/config/field_value.h"

#include <fmt/format.h>

#include <optional>

#include "common/config/duration.h"
#include "common/config/nearest.h"
#include "common/config/rules.h"

namespace ltml::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// One value on its way into one field.
struct Assignment {
  const toml::node& value;
  const FieldDescriptor& field;
  const std::string& path;
  const std::filesystem::path& folder;
  Message* message;
  Faults* faults;

  void Refuse(std::string_view hint = "") const {
    faults->Add(path,
                fmt::format("got {}, expected {}{}", ShowValue(value), Expected(field), hint));
  }
  void RefuseAsLater() const {
    faults->Add(path, fmt::format("{} is not available in this version", ShowValue(value)));
  }
};

void SetText(const Assignment& to, std::string text) {
  const auto* reflection = to.message->GetReflection();
  if (to.field.is_repeated()) {
    reflection->AddString(to.message, &to.field, std::move(text));
  } else {
    reflection->SetString(to.message, &to.field, std::move(text));
  }
}

void AssignText(const Assignment& to) {
  const std::optional<std::string> text = to.value.value<std::string>();
  if (!to.value.is_string() || !text) return to.Refuse();
  if (KindOf(to.field) == Kind::kText || text->empty()) return SetText(to, *text);
  SetText(to, (to.folder / *text).lexically_normal().string());
}

void SetInteger(const Assignment& to, int64_t number) {
  const auto* reflection = to.message->GetReflection();
  const bool repeated = to.field.is_repeated();
  switch (to.field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      const int32_t narrow = static_cast<int32_t>(number);
      return repeated ? reflection->AddInt32(to.message, &to.field, narrow)
                      : reflection->SetInt32(to.message, &to.field, narrow);
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      const uint64_t positive = static_cast<uint64_t>(number);
      return repeated ? reflection->AddUInt64(to.message, &to.field, positive)
                      : reflection->SetUInt64(to.message, &to.field, positive);
    }
    default:
      return repeated ? reflection->AddInt64(to.message, &to.field, number)
                      : reflection->SetInt64(to.message, &to.field, number);
  }
}

void AssignInteger(const Assignment& to) {
  if (!to.value.is_integer()) return to.Refuse();
  const int64_t number = *to.value.value<int64_t>();
  const Range range = RangeOf(to.field);
  if (!range.Contains(static_cast<double>(number))) {
    // A range of one value is a feature that is still to come.
    const bool single = range.minimum && range.minimum == range.maximum;
    return single && static_cast<double>(number) > *range.maximum ? to.RefuseAsLater()
                                                                  : to.Refuse();
  }
  SetInteger(to, number);
}

void AssignNumber(const Assignment& to) {
  if (!to.value.is_number()) return to.Refuse();
  const double number = *to.value.value<double>();
  if (!RangeOf(to.field).Contains(number)) return to.Refuse();
  const auto* reflection = to.message->GetReflection();
  if (to.field.is_repeated()) {
    reflection->AddDouble(to.message, &to.field, number);
  } else {
    reflection->SetDouble(to.message, &to.field, number);
  }
}

void AssignBoolean(const Assignment& to) {
  if (!to.value.is_boolean()) return to.Refuse();
  to.message->GetReflection()->SetBool(to.message, &to.field, *to.value.value<bool>());
}

void AssignChoice(const Assignment& to) {
  const std::optional<std::string> text = to.value.value<std::string>();
  if (!to.value.is_string() || !text) return to.Refuse();
  const auto* choice = FindChoice(*to.field.enum_type(), *text);
  if (choice != nullptr) {
    return to.message->GetReflection()->SetEnum(to.message, &to.field, choice);
  }
  if (ComesLater(to.path, *text)) return to.RefuseAsLater();
  to.Refuse(DidYouMean(*text, ChoicesOf(*to.field.enum_type())));
}

void AssignDuration(const Assignment& to) {
  const std::optional<std::string> text = to.value.value<std::string>();
  if (!to.value.is_string() || !text) return to.Refuse();
  // Empty where that is the default: no limit.
  if (text->empty() && RuleOf(to.field).default_value() == "\"\"") return;
  const auto duration = ParseDuration(*text);
  if (!duration || !RangeOf(to.field).Contains(Seconds(*duration))) return to.Refuse();
  to.message->GetReflection()->MutableMessage(to.message, &to.field)->CopyFrom(*duration);
}

}  // namespace

std::string ShowValue(const toml::node& value) {
  constexpr size_t kLongest = 60;
  if (const auto* text = value.as_string()) {
    std::string shown = fmt::format("{:?}", text->get().substr(0, kLongest));
    return text->get().size() > kLongest ? shown + "..." : shown;
  }
  if (const auto* number = value.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = value.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* boolean = value.as_boolean()) return boolean->get() ? "true" : "false";
  if (value.is_array()) return "an array";
  if (value.is_table()) return "a table";
  return "a date or time";
}

void SetField(const toml::node& value, const FieldDescriptor& field, const std::string& path,
              const std::filesystem::path& folder, Message* message, Faults* faults) {
  const Assignment assignment{value, field, path, folder, message, faults};
  switch (KindOf(field)) {
    case Kind::kText:
    case Kind::kPath:
      return AssignText(assignment);
    case Kind::kInteger:
      return AssignInteger(assignment);
    case Kind::kNumber:
      return AssignNumber(assignment);
    case Kind::kBoolean:
      return AssignBoolean(assignment);
    case Kind::kChoice:
      return AssignChoice(assignment);
    case Kind::kDuration:
      return AssignDuration(assignment);
    case Kind::kTable:
      return assignment.Refuse();
  }
}

}  // namespace ltml::config
