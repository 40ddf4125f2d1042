#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <chrono>
#include <string>

namespace ltml::service {

using UtcTime = std::chrono::system_clock::time_point;

google::protobuf::Timestamp ToTimestamp(UtcTime time);
UtcTime FromTimestamp(const google::protobuf::Timestamp& time);
std::chrono::nanoseconds FromDuration(const google::protobuf::Duration& duration);

// "20261124-031522-clipart-7f3a0b12": sorts by time, unique by its random end.  The job's name is
// cut to 40 characters; what is no letter, digit or '-' becomes '-'.
std::string NewJobId(UtcTime now, const std::string& job_name, const std::string& random);

}  // namespace ltml::service
