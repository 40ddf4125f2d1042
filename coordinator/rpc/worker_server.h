#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/streams/attempt.h"
#include "coordinator/streams/health.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::coordinator {

// Callbacks run on gRPC's threads, one at a time, and must be quick.
struct WorkerEvents {
  std::function<void(int rank, const v1::Hello&)> hello;
  std::function<void(int rank, const v1::Progress&)> progress;
  std::function<void(int rank, const v1::CheckpointDone&)> checkpoint_done;
  std::function<void(int rank, const v1::EvaluationDone&)> evaluation_done;
  std::function<void(int rank, const v1::Failure&)> failure;
  std::function<void(int rank, const v1::Finished&)> finished;
};

struct WorkerServerOptions {
  std::string address;  // "unix:/..."; the folder of the socket has mode 0700
  streams::AttemptOptions attempt;
  bool training = true;  // false: an evaluation; no grants
  std::string token;     // what a hello must carry
  // limits.lease: keep-alives come five times in a lease, and at least every 5 s.
  std::chrono::nanoseconds lease = std::chrono::seconds(5);
  WorkerEvents events;
};

// WorkerService of one attempt: bidirectional callback streams that call AttemptStreams and send
// what it returns.  Answers every hello at once, and sends every rank a KeepAlive at least every 5
// s. Refuses wrong tokens, epochs, ranks and repeated ranks with a Refusal; a process whose session
// broke may come back with the same hello, and what it sends again has no effect twice: events for
// logged steps, checkpoints, evaluations, failure and finish come once, in order.  Thread-safe.
class WorkerServer {
 public:
  // Unavailable when the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<WorkerServer>> Start(const WorkerServerOptions& options);
  virtual ~WorkerServer() = default;  // ends all sessions within a second

  // To rank 0; kept for it while it is not connected.
  virtual void SendCommand(v1::Command::Kind kind) = 0;
  virtual std::vector<streams::RankView> Ranks() const = 0;
  // Set when a rank broke the protocol: cause PROTOCOL.  That rank has been refused; ending the
  // others is the caller's.
  virtual std::optional<v1::Failure> ProtocolFailure() const = 0;
  // Totals of the streams so far, for reports and metrics.
  virtual statistics::DecayedTotals LatestTotals() const = 0;
};

}  // namespace ltml::coordinator
