#include "common/base/proto_time.h"

namespace ltml::base {

using UtcTime = std::chrono::system_clock::time_point;

std::chrono::nanoseconds ToNanoseconds(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

UtcTime FromTimestamp(const google::protobuf::Timestamp& time) {
  return UtcTime(std::chrono::duration_cast<UtcTime::duration>(
      std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos())));
}

google::protobuf::Timestamp ToTimestamp(UtcTime time) {
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  google::protobuf::Timestamp result;
  result.set_seconds(seconds.count());
  result.set_nanos(static_cast<int32_t>(std::chrono::nanoseconds(since - seconds).count()));
  return result;
}

int64_t UnixMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace ltml::base
