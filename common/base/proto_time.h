#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <chrono>
#include <cstdint>

namespace ltml::base {

// Between protobuf's times and the standard library's, exact to the nanosecond.
std::chrono::nanoseconds ToNanoseconds(const google::protobuf::Duration& duration);
std::chrono::system_clock::time_point FromTimestamp(const google::protobuf::Timestamp& time);
google::protobuf::Timestamp ToTimestamp(std::chrono::system_clock::time_point time);

// Of this machine's clock, since 1970, UTC.
int64_t UnixMilliseconds();

}  // namespace ltml::base
