#pragma once

#include <google/protobuf/message.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/faults.h"

namespace ltml::config {

// The folder where relative paths of a file start, absolute.
absl::StatusOr<std::filesystem::path> FolderOf(const std::filesystem::path& file);

// Fills `message` from a TOML file of at most 1 MiB with `overrides` ("path=value") laid on top:
// every field by its type and rule, absent ones by their default, relative paths from the file's
// folder.  A repeated message is an array of tables; "hosts[1].slots" is a field of its second one.
// Faults go to `faults`.  NotFound and Internal as base::ReadFile; InvalidArgument for a syntax
// error, with line and column.  Returns the paths of the fields that were given.
absl::StatusOr<std::vector<std::string>> ReadToml(const std::filesystem::path& file,
                                                  const std::vector<std::string>& overrides,
                                                  google::protobuf::Message* message,
                                                  Faults* faults);

}  // namespace ltml::config
