#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ltml/v1/run.pb.h"

namespace ltml::launch {

struct LaunchOptions {
  std::filesystem::path run_folder;  // its `lock` is held while any process of the attempt lives
  std::filesystem::path attempt_folder;  // rank logs, task.json, exit.json
  int64_t attempt_epoch = 1;
  int ranks = 1;
  int threads_per_rank = 1;
  std::string token;  // handed to ranks in the environment, never in arguments
  std::chrono::nanoseconds stop_grace{};
  std::chrono::nanoseconds lock_wait{};  // limits.stop: how long an older attempt may hold the lock
  // Asked many times a second until the attempt has started; true gives it up.  Empty: never.
  std::function<bool()> abandoned{};
};

// A running attempt: supervisor process -> mpirun -> ranks.  Destroying it ends the attempt.
class Attempt {
 public:
  virtual ~Attempt() = default;
  // The exit record once the attempt has ended and nothing of it is left; DeadlineExceeded
  // otherwise.
  virtual absl::StatusOr<v1::ExitRecord> Wait(std::chrono::nanoseconds timeout) = 0;
  // Asks the supervisor to end the attempt: SIGTERM to mpirun, then SIGKILL to all that is left.
  // `reason` goes into the exit record.
  virtual void Stop(const std::string& reason) = 0;
};

// FailedPrecondition when another attempt holds the run folder's lock (exit code 6); Cancelled when
// the start was abandoned, after everything that it had begun was ended.
absl::StatusOr<std::unique_ptr<Attempt>> Launch(const LaunchOptions& options);

}  // namespace ltml::launch
