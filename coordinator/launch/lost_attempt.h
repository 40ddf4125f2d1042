#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "ltml/v1/run.pb.h"

namespace ltml::launch {

// An attempt whose supervisor has ended without a record.
struct LostAttempt {
  std::filesystem::path attempt_folder;
  int64_t attempt_epoch = 1;
  std::string launch_id;
  std::string reason;
  int signal = 0;  // that ended the supervisor, where that is known
};

// Ends what is left of it, here and on its other hosts, and writes and returns the record that the
// supervisor owed.  DeadlineExceeded when a process here does not end.  The record counts even if
// it cannot be written.
absl::StatusOr<v1::ExitRecord> RecordLost(const LostAttempt& attempt, int already_swept = 0);

}  // namespace ltml::launch
