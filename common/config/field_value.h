#pragma once

#include <google/protobuf/message.h>
#include <toml++/toml.h>

#include <filesystem>
#include <string>

#include "common/config/faults.h"

namespace ltml::config {

// A value as a message shows it: "\"wide\"", "3", "a table".
std::string ShowValue(const toml::node& value);

// Sets a singular field, or adds an element to a repeated one, from one TOML value.  What does not
// fit goes to `faults` under `path`, and the field stays as it is.  Relative paths start at
// `folder`.
void SetField(const toml::node& value, const google::protobuf::FieldDescriptor& field,
              const std::string& path, const std::filesystem::path& folder,
              google::protobuf::Message* message, Faults* faults);

}  // namespace ltml::config
