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
  std::string coordinator;  // gRPC address, "unix:/..." or HOST:PORT
  std::string authority;    // PEM, of the coordinator's certificate; empty: plaintext, local only
  std::string job_id;
  std::string token;
  int64_t attempt_epoch = 0;
  int rank = 0;
  int world_size = 1;
  int classes = 0;
  std::chrono::nanoseconds connect_limit{};   // limits.start
  std::chrono::nanoseconds lease{};           // limits.lease
  std::optional<v1::StatisticsState> resume;  // rank 0 of a resumed run
  bool training = true;                       // false: an evaluation; no grants
  // From the end of the lease, or a refusal, until the process is ended.
  std::chrono::nanoseconds exit_grace = std::chrono::seconds(5);
};

// Exit status of a process whose attempt is over before it noticed.
inline constexpr int kFencedExitStatus = 75;

// A rank's session with the coordinator: the gRPC client behind the trainer's ports.  Its own
// threads send progress every second (five times in a shorter lease) whatever the training thread
// does.
//
// Every message of the coordinator renews the lease.  A broken connection is opened again for as
// long as the lease lasts, also to another process at the same address, and what was not
// acknowledged is sent again.  When the lease runs out,
// or the coordinator refuses this rank, Await returns Aborted with the reason, and a process that
// still has its session `exit_grace` later is ended with kFencedExitStatus.
//
// Times of ranks travel with the progress, as sums since the process began.
// Commands and logged steps arrive once and in order.  Thread-safe.
class Session : public train::GrantSource, public train::Monitor {
 public:
  // Connects, says hello and waits until the coordinator has accepted it.  DeadlineExceeded or
  // Unavailable names the address; Aborted carries the reason of a refusal; FailedPrecondition: no
  // authority for an address off this machine.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const SessionOptions& options);

  // Rank 0, before a checkpoint of `step` gets its name: asks whether this attempt is still the
  // job's, and waits for the answer, also while the connection is broken.  Aborted when the attempt
  // is over, DeadlineExceeded without an answer in time.  One call at a time.
  virtual absl::Status ConfirmCheckpoint(int64_t step, std::chrono::nanoseconds timeout) = 0;
  virtual void CheckpointDone(int64_t step, const std::string& folder) = 0;
  virtual void EvaluationDone(const v1::Report& report) = 0;
  // Tell how the rank ends, and wait until the coordinator has taken it: 5 s, or with Finish the
  // lease if that is longer.  The last messages of a session; afterwards its lease is not judged
  // any more.
  virtual void Fail(v1::FailureCause cause, const std::string& message) = 0;
  virtual void Finish(const v1::Finished& finished) = 0;
};

}  // namespace ltml::session
