#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "common/config/comments.h"
#include "common/config/job_file.h"
#include "common/config/rules.h"

namespace ltml::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string QuotedList(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(Quoted(text));
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

std::string_view TypeName(Kind kind) {
  switch (kind) {
    case Kind::kInteger:
      return "integer";
    case Kind::kNumber:
      return "number";
    case Kind::kBoolean:
      return "boolean";
    default:
      return "string";
  }
}

using Members = std::vector<std::string>;

void AddRange(const FieldDescriptor& field, Members* members) {
  const Range range = RangeOf(field);
  if (range.minimum) members->push_back("\"minimum\": " + NumberText(*range.minimum));
  if (range.above) members->push_back("\"exclusiveMinimum\": " + NumberText(*range.above));
  if (range.maximum) members->push_back("\"maximum\": " + NumberText(*range.maximum));
}

// Members of the schema of one value: of the field, or of its entries when it is repeated.
Members ValueMembers(const FieldDescriptor& field) {
  const Kind kind = KindOf(field);
  Members members = {fmt::format("\"type\": \"{}\"", TypeName(kind))};
  if (kind == Kind::kInteger || kind == Kind::kNumber) AddRange(field, &members);
  if (kind == Kind::kChoice) {
    members.push_back("\"enum\": " + QuotedList(ChoicesOf(*field.enum_type())));
  }
  if (kind == Kind::kDuration) {
    members.push_back(R"("pattern": "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$")");
  }
  return members;
}

std::string TableSchema(const Descriptor& message, const std::string& indent, Members members);

std::string FieldSchema(const FieldDescriptor& field, const std::string& indent) {
  std::string comment = CommentOf(field);
  if (KindOf(field) == Kind::kTable) {
    if (comment.empty()) comment = CommentOf(*field.message_type());
    Members members;
    if (!comment.empty()) members.push_back("\"description\": " + Quoted(comment));
    return TableSchema(*field.message_type(), indent, members);
  }
  Members members = ValueMembers(field);
  if (field.is_repeated()) {
    members = {"\"type\": \"array\"", fmt::format("\"items\": {{{}}}", fmt::join(members, ", "))};
  }
  if (!RuleOf(field).required()) {
    members.push_back("\"default\": " + RuleOf(field).default_value());
  }
  if (!comment.empty()) members.push_back("\"description\": " + Quoted(comment));
  return fmt::format("{{{}}}", fmt::join(members, ", "));
}

bool HasRequired(const FieldDescriptor& field) {
  if (KindOf(field) != Kind::kTable) return RuleOf(field).required();
  for (int i = 0; i < field.message_type()->field_count(); ++i) {
    if (HasRequired(*field.message_type()->field(i))) return true;
  }
  return false;
}

std::string TableSchema(const Descriptor& message, const std::string& indent, Members members) {
  const std::string inner = indent + "  ";
  Members properties;
  std::vector<std::string> required;
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    properties.push_back(
        fmt::format("{}  \"{}\": {}", inner, field.name(), FieldSchema(field, inner + "  ")));
    if (HasRequired(field)) required.push_back(field.name());
  }
  members.push_back("\"type\": \"object\"");
  members.push_back("\"additionalProperties\": false");
  if (!required.empty()) members.push_back("\"required\": " + QuotedList(required));
  members.push_back(
      fmt::format("\"properties\": {{\n{}\n{}}}", fmt::join(properties, ",\n"), inner));
  return fmt::format("{{\n{0}{1}\n{2}}}", inner, fmt::join(members, ",\n" + inner), indent);
}

}  // namespace

std::string JobSchema() {
  const Descriptor& job = *v1::JobSpec::descriptor();
  return TableSchema(
             job, "",
             {"\"$schema\": \"https://json-schema.org/draft/2020-12/schema\"",
              "\"title\": \"ltml job file\"", "\"description\": " + Quoted(CommentOf(job))}) +
         "\n";
}

}  // namespace ltml::config
