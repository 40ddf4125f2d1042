#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cli/connection.h"

namespace ltml::cli {

struct FollowOptions {
  std::string job;  // "jobs/ID"
  std::function<void(const v1::JobEvent&)> event;
  std::function<void(const v1::Job&)> now;  // the job as it is, about once a second
  const std::atomic<int>* interrupt = nullptr;
  std::optional<std::chrono::steady_clock::time_point> deadline;
};

// Follows a job to its end and returns it: every event once and in order, also over a server that
// goes away and comes back within a minute.  Cancelled when interrupted; DeadlineExceeded.
absl::StatusOr<v1::Job> Follow(Connection& connection, const FollowOptions& options);

// The same with a live view on stderr (events on stdout with --output json); what `watch` and
// `submit --watch` do.  Its status is the job's outcome; Ctrl-C leaves the job running.
absl::Status Watch(Connection& connection, const std::string& job, Context& context);

struct LogOptions {
  std::string job;
  std::vector<int> ranks{};  // empty: all
  int64_t attempt = 0;       // 0: the newest
  bool follow = false;
  const std::atomic<int>* interrupt = nullptr;
};
// Logs on stdout, "[rank] " before each line when there is more than one.
absl::Status PrintLogs(Connection& connection, const LogOptions& options, const Context& context);

}  // namespace ltml::cli
