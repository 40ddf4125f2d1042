#pragma once

#include <google/protobuf/message.h>

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ltml::base {

// Small files on disk are protobuf messages printed as JSON with the field names of the .proto
// files; fields with a default value are printed too.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message, bool one_line = false);

// Unknown fields are errors, unless another version of the program may have written them.
// InvalidArgument names `where`.
enum class UnknownFields { kRefuse, kIgnore };
absl::Status FromJson(std::string_view json, std::string_view where,
                      google::protobuf::Message* message,
                      UnknownFields unknown = UnknownFields::kRefuse);

absl::Status WriteJsonFile(const std::filesystem::path& file,
                           const google::protobuf::Message& message);
absl::Status ReadJsonFile(const std::filesystem::path& file, google::protobuf::Message* message);

}  // namespace ltml::base
