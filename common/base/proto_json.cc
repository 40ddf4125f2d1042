#include "common/base/proto_json.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace ltml::base {

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message, bool one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !one_line;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) {
    return absl::InternalError(fmt::format("cannot print {} as JSON: {}", message.GetTypeName(),
                                           std::string(status.message())));
  }
  return json;
}

absl::Status FromJson(std::string_view json, std::string_view where,
                      google::protobuf::Message* message, UnknownFields unknown) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = unknown == UnknownFields::kIgnore;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), message, options);
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} is no {}: {}", where, message->GetTypeName(), std::string(status.message())));
}

absl::Status WriteJsonFile(const std::filesystem::path& file,
                           const google::protobuf::Message& message) {
  LTML_ASSIGN_OR_RETURN(const std::string json, ToJson(message));
  return WriteFileAtomically(file, json + (json.ends_with('\n') ? "" : "\n"));
}

absl::Status ReadJsonFile(const std::filesystem::path& file, google::protobuf::Message* message) {
  LTML_ASSIGN_OR_RETURN(const std::string json, ReadFile(file));
  return FromJson(json, fmt::format("'{}'", file.string()), message);
}

}  // namespace ltml::base
