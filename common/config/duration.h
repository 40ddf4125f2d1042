#pragma once

#include <google/protobuf/duration.pb.h>

#include <optional>
#include <string>
#include <string_view>

namespace ltml::config {

// "500ms", "30s", "1.5m" or "2h"; nullopt for anything else.  Exact to the nanosecond.
std::optional<google::protobuf::Duration> ParseDuration(std::string_view text);

double Seconds(const google::protobuf::Duration& duration);

// In seconds: "30s", "0.5s".
std::string DurationText(const google::protobuf::Duration& duration);

}  // namespace ltml::config
