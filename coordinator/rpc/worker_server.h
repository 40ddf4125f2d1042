#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/rpc/worker_gateway.h"
#include "coordinator/streams/attempt.h"
#include "coordinator/streams/health.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::coordinator {

struct WorkerServerOptions {
  std::string address;  // "unix:/..."; the folder of the socket has mode 0700
  std::string job_id;   // as in the task
  streams::AttemptOptions attempt;
  bool training = true;  // false: an evaluation; no grants
  std::string token;     // what a hello must carry
  // limits.lease: keep-alives come five times in a lease, and at least every 5 s.
  std::chrono::nanoseconds lease = std::chrono::seconds(5);
  WorkerEvents events;
};

// The sessions of one attempt on a server of their own: a WorkerGateway with AttemptSessions and no
// journal (worker_gateway.h).  Thread-safe.
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
