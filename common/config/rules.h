#pragma once

#include <google/protobuf/descriptor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ltml/v1/rules.pb.h"

namespace ltml::config {

// What a value of a file is; decides how it is read, printed and described.
enum class Kind { kTable, kText, kPath, kInteger, kNumber, kBoolean, kChoice, kDuration };

Kind KindOf(const google::protobuf::FieldDescriptor& field);
const v1::FieldRule& RuleOf(const google::protobuf::FieldDescriptor& field);

// Bounds of a number or duration (in seconds); `above` excludes the bound itself.
struct Range {
  std::optional<double> minimum, maximum, above;
  bool Contains(double value) const;
};
Range RangeOf(const google::protobuf::FieldDescriptor& field);

// Texts of an enum's values in their order, without the unspecified one.
std::vector<std::string> ChoicesOf(const google::protobuf::EnumDescriptor& type);
std::string ChoiceText(const google::protobuf::EnumValueDescriptor& value);
const google::protobuf::EnumValueDescriptor* FindChoice(
    const google::protobuf::EnumDescriptor& type, std::string_view text);

// "an integer from 1 to 1024", "one of \"sgd\", \"adamw\"": one element of a repeated field.
std::string Expected(const google::protobuf::FieldDescriptor& field);
// "an array, each entry an integer", "tables under [[hosts]]": all of a repeated field.
std::string ExpectedArray(const google::protobuf::FieldDescriptor& field);
// How a table begins in a file: "[limits]", "[[hosts]]".
std::string Heading(const google::protobuf::FieldDescriptor& table);
// "from 1 to 1024", "above 0, at most 1"; empty without bounds.
std::string RangeText(const google::protobuf::FieldDescriptor& field);

// Shortest text of a number; whole ones without exponent up to 2^53.
std::string NumberText(double number);

std::vector<std::string> FieldNames(const google::protobuf::Descriptor& message);

// Asked for in this version, although a later one has it: a key ("model.sync_batch_norm"), a table
// or a choice ("streams.rebalanced" = "power").
bool ComesLater(std::string_view path);
bool ComesLater(std::string_view path, std::string_view choice);

}  // namespace ltml::config
