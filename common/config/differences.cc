#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/message.h>

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/sha256.h"
#include "common/config/duration.h"
#include "common/config/job_file.h"
#include "common/config/rules.h"

namespace ltml::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// What does not change what is learned, or stands elsewhere: the data by their fingerprint.
constexpr std::array<std::string_view, 11> kOutsideDigest = {"name",
                                                             "data.train",
                                                             "data.validation",
                                                             "data.test",
                                                             "data.loader_threads",
                                                             "checkpoint",
                                                             "resources",
                                                             "limits",
                                                             "data.max_bad_samples",
                                                             "queue",
                                                             "monitoring"};

std::string NumberOf(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& get = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return fmt::format(
          "{}", one ? get.GetInt32(message, &field) : get.GetRepeatedInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_INT64:
      return fmt::format(
          "{}", one ? get.GetInt64(message, &field) : get.GetRepeatedInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT64:
      return fmt::format("{}", one ? get.GetUInt64(message, &field)
                                   : get.GetRepeatedUInt64(message, &field, index));
    default:
      return fmt::format("{}", one ? get.GetDouble(message, &field)
                                   : get.GetRepeatedDouble(message, &field, index));
  }
}

std::string DurationOf(const Message& message, const FieldDescriptor& field) {
  google::protobuf::Duration duration;
  duration.CopyFrom(message.GetReflection()->GetMessage(message, &field));
  return fmt::format("\"{}\"", DurationText(duration));
}

// A singular value, as the job file would have it.
std::string ValueText(const Message& message, const FieldDescriptor& field) {
  const Reflection& get = *message.GetReflection();
  switch (KindOf(field)) {
    case Kind::kText:
    case Kind::kPath:
      return fmt::format("{:?}", get.GetString(message, &field));
    case Kind::kBoolean:
      return get.GetBool(message, &field) ? "true" : "false";
    case Kind::kChoice:
      return '"' + ChoiceText(*get.GetEnum(message, &field)) + '"';
    case Kind::kDuration:
      return DurationOf(message, field);
    default:
      return NumberOf(message, field, -1);
  }
}

std::string FieldText(const Message& message, const FieldDescriptor& field) {
  if (!field.is_repeated()) return ValueText(message, field);
  std::vector<std::string> entries;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    entries.push_back(NumberOf(message, field, i));
  }
  return fmt::format("[{}]", fmt::join(entries, ", "));
}

using Leaves = std::vector<std::pair<std::string, std::string>>;

// Every field with its value, in the order of the message.
void Collect(const Message& message, const std::string& prefix, Leaves* leaves) {
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string path = prefix + field.name();
    if (KindOf(field) == Kind::kTable) {
      Collect(message.GetReflection()->GetMessage(message, &field), path + ".", leaves);
    } else {
      leaves->emplace_back(path, FieldText(message, field));
    }
  }
}

bool InDigest(std::string_view path) {
  for (const std::string_view outside : kOutsideDigest) {
    if (path == outside || path.substr(0, path.find('.')) == outside) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> Differences(const v1::JobSpec& a, const v1::JobSpec& b) {
  Leaves left, right;
  Collect(a, "", &left);
  Collect(b, "", &right);
  std::vector<std::string> differences;
  for (size_t i = 0; i < left.size(); ++i) {
    if (left[i].second == right[i].second) continue;
    differences.push_back(
        fmt::format("{}: {} != {}", left[i].first, left[i].second, right[i].second));
  }
  return differences;
}

std::string SettingsDigest(const v1::JobSpec& job) {
  Leaves leaves;
  Collect(job, "", &leaves);
  base::Sha256 sha256;
  for (const auto& [path, value] : leaves) {
    if (InDigest(path)) sha256.Update(fmt::format("{} = {}\n", path, value));
  }
  return sha256.HexDigest();
}

}  // namespace ltml::config
