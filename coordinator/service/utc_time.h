#pragma once

#include <chrono>
#include <string>

#include "common/base/proto_time.h"

namespace ltml::service {

using UtcTime = std::chrono::system_clock::time_point;

using base::FromTimestamp;
using base::ToNanoseconds;
using base::ToTimestamp;

// "20261124-031522-clipart-7f3a0b12": sorts by time, unique by its random end.  The job's name is
// cut to 40 characters; what is no letter, digit or '-' becomes '-'.
std::string NewJobId(UtcTime now, const std::string& job_name, const std::string& random);

}  // namespace ltml::service
