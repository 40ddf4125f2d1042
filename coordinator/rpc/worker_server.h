#pragma once

#include <functional>
#include <memory>
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
  std::string address;             // "unix:/..."; the folder of the socket has mode 0700
  streams::AttemptOptions attempt;
  bool training = true;            // false: an evaluation; no grants
  std::string token;               // what a hello must carry
  WorkerEvents events;
};

// WorkerService of one attempt: bidirectional callback streams that call AttemptStreams and send
// what it returns.  Sends every rank at least a KeepAlive every 5 s (every second on a lease below
// 15 s).  Refuses wrong tokens, epochs, ranks and repeated ranks with a Refusal.  Thread-safe.
class WorkerServer {
 public:
  // Unavailable when the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<WorkerServer>> Start(const WorkerServerOptions& options);
  virtual ~WorkerServer() = default;  // ends all sessions within a second

  virtual void SendCommand(v1::Command::Kind kind) = 0;  // to rank 0
  virtual void RefuseAll(const std::string& reason) = 0;
  virtual std::vector<streams::RankView> Ranks() const = 0;
  // Set when a rank broke the protocol: cause PROTOCOL.
  virtual std::optional<v1::Failure> ProtocolFailure() const = 0;
};

}  // namespace ltml::coordinator
