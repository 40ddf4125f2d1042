#pragma once

#include <google/protobuf/message.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/faults.h"

namespace ltml::config {

// Fills `message` from TOML text with `overrides` ("path=value") laid on top: every field by its
// type and rule, absent ones by their default, relative paths from `folder`.  Faults go to
// `faults`; syntax errors come back as InvalidArgument with line and column.  Returns the paths of
// the fields that were given.
absl::StatusOr<std::vector<std::string>> ReadToml(std::string_view text, const std::string& file,
                                                  const std::filesystem::path& folder,
                                                  const std::vector<std::string>& overrides,
                                                  google::protobuf::Message* message,
                                                  Faults* faults);

}  // namespace ltml::config
