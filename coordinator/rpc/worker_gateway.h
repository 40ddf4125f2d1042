#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/rpc/attempt_journal.h"
#include "coordinator/streams/attempt.h"
#include "coordinator/streams/health.h"
#include "ltml/v1/statistics.pb.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::coordinator {

// Callbacks run on threads of gRPC, of the gateway or of the journal, one at a time per attempt and
// in order, and must be quick.  They may send commands, and must not destroy the sessions.
struct WorkerEvents {
  std::function<void(int rank, const v1::Hello&)> hello;
  std::function<void(int rank, const v1::Progress&)> progress;
  std::function<void(int rank, const v1::CheckpointDone&)> checkpoint_done;
  std::function<void(int rank, const v1::EvaluationDone&)> evaluation_done;
  std::function<void(int rank, const v1::Failure&)> failure;
  std::function<void(int rank, const v1::Finished&)> finished;
  // Whenever there is more of it, and at once where an attempt goes on with some.
  std::function<void(std::shared_ptr<const v1::ClassStatistics>)> statistics;
};

struct AttemptSessionsOptions {
  std::string job_id;
  streams::AttemptOptions attempt;
  bool training = true;      // false: an evaluation; no grants
  std::string token_sha256;  // base::TokenDigest of the token that a hello must carry
  // limits.lease: keep-alives come five times in a lease, and at least every 5 s.
  std::chrono::nanoseconds lease = std::chrono::seconds(5);
  WorkerEvents events;
  // Null: nothing outlives this process.  Must outlive the sessions.
  AttemptJournal* journal = nullptr;
  // What the journal holds of this attempt already.  Failures, finishes and statistics in it are
  // told as events before Add returns.
  std::vector<v1::JournalEntry> restored;
};

// The sessions of one attempt's ranks: WorkerService for one job and epoch (docs/protocol.md).
// Answers every hello at once, and sends every rank a KeepAlive at least every 5 s.  Refuses wrong
// tokens, jobs, epochs, ranks and repeated ranks with a Refusal; a process whose session broke may
// come back with the same hello, and what it sends again has no effect twice: events for logged
// steps, checkpoints, evaluations, failure and finish come once, in order; after a restart of the
// server hellos come again, and of the others those that a rank cannot know to have arrived. Grants
// leave only when the folded window is in the journal; the end of a session is acknowledged only
// when the rank's failure or finish is; a checkpoint is confirmed while the attempt is registered.
// An entry that the journal cannot take is tried again every second: the grant waits.  Thread-safe.
// Destroying it ends all its sessions within a second and takes it out of the gateway.
class AttemptSessions {
 public:
  virtual ~AttemptSessions() = default;
  // To rank 0; kept for it while it is not connected, and until it has acknowledged it.
  virtual void SendCommand(v1::Command::Kind kind) = 0;
  virtual std::vector<streams::RankView> Ranks() const = 0;
  // Set when a rank broke the protocol: cause PROTOCOL.  That rank has been refused; ending the
  // others is the caller's.
  virtual std::optional<v1::Failure> ProtocolFailure() const = 0;
  // Totals of the streams so far, for reports and metrics.
  virtual statistics::DecayedTotals LatestTotals() const = 0;
};

// WorkerService of one server, for any number of attempts: sends each stream to the attempt that
// its hello names.  A hello of an unknown job or epoch is refused; a stream without a hello within
// 10 s is ended.  While the server recovers (before Open) a hello of an unknown attempt is answered
// with UNAVAILABLE, so that the rank comes again.  Thread-safe.
class WorkerGateway {
 public:
  static std::unique_ptr<WorkerGateway> Create();
  virtual ~WorkerGateway() = default;

  // To register with a grpc::ServerBuilder.
  virtual grpc::Service* service() = 0;
  // All attempts that run are added: unknown ones are refused from now on.
  virtual void Open() = 0;
  // AlreadyExists for a job that has one; DataLoss for a journal that makes no sense;
  // InvalidArgument for options that do not.
  virtual absl::StatusOr<std::unique_ptr<AttemptSessions>> Add(AttemptSessionsOptions options) = 0;
  // Ends all streams, and those that come later, with UNAVAILABLE; to be called before the server's
  // Shutdown.  The gateway must outlive the server.
  virtual void EndAll() = 0;
};

}  // namespace ltml::coordinator
