#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ltml/v1/worker_service.pb.h"
#include "worker/train/grant_source.h"

namespace ltml::session {

struct SessionOptions {
  std::string coordinator;                  // gRPC address, "unix:/..."
  std::string token;
  int64_t attempt_epoch = 0;
  int rank = 0;
  int world_size = 1;
  int classes = 0;
  std::chrono::nanoseconds connect_limit{};  // limits.start
  std::chrono::nanoseconds lease{};          // limits.lease
  std::optional<v1::StatisticsState> resume; // rank 0 of a resumed run
  bool training = true;                      // false: an evaluation; no grants
};

// A rank's session with the coordinator: the gRPC client behind the trainer's ports.  Its own thread
// sends progress every second whatever the training thread does, and ends the process with exit
// status 75 when the lease runs out or the attempt is fenced while training does not notice in time.
class Session : public train::GrantSource, public train::Monitor {
 public:
  // Connects and says hello.  Unavailable or DeadlineExceeded names the address.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const SessionOptions& options);

  virtual void CheckpointDone(int64_t step, const std::string& folder) = 0;
  virtual void EvaluationDone(const v1::Report& report) = 0;
  // Tell how the rank ends and wait (bounded) until the message is on its way.
  virtual void Fail(v1::FailureCause cause, const std::string& message) = 0;
  virtual void Finish(const v1::Finished& finished) = 0;
};

}  // namespace ltml::session
