#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ltml::coordinator {

// How far a reader of a job's logs is.
struct LogPosition {
  std::string job;  // "jobs/..."
  int64_t attempt_epoch = 0;
  std::map<int32_t, int64_t> offsets;  // by rank; a rank that is absent is unread
};

// LogChunk.position: text with a checksum, so that a changed one is noticed.
std::string ToToken(const LogPosition& position);
// InvalidArgument with the field "resume_after" for a token that is damaged or of another job.
absl::StatusOr<LogPosition> FromToken(std::string_view token, std::string_view job);

}  // namespace ltml::coordinator
