#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/jobs/run_outcome.h"
#include "coordinator/launch/launcher.h"
#include "coordinator/rpc/worker_gateway.h"
#include "ltml/v1/report.pb.h"
#include "ltml/v1/run.pb.h"

namespace ltml::coordinator {

// What a person or a manager that watches wants to hear of, in order.  Called on the thread that
// runs the attempt.
struct RunEvents {
  std::function<void(int rank, const std::string& host, int ranks)> rank_connected;
  std::function<void(const v1::StepMetrics&)> step;
  std::function<void(const v1::Progress&)> progress;  // rank 0's
  // Every rank's, at least once a second: its sign of life, and where its time went.
  std::function<void(int rank, const v1::Progress&)> rank_progress;
  std::function<void(int64_t step, const std::string& folder)> checkpoint;
  std::function<void(const v1::Report&)> evaluation;
  std::function<void(std::shared_ptr<const v1::ClassStatistics>)> statistics;
};

struct AttemptRunOptions {
  v1::WorkerTask task;  // complete; of a new attempt it is written to the attempt folder
  int ranks = 1;
  // How the attempt comes to life: a new one, or one that runs already.
  std::variant<launch::LaunchOptions, launch::AdoptOptions> start;
  // Of an adopted attempt: all its ranks were connected once, and come back within limits.lease.
  bool was_connected = false;
  WorkerGateway* gateway = nullptr;  // must outlive the run
  std::string token_sha256;  // base::TokenDigest of the token that ranks prove themselves by
  AttemptJournal* journal = nullptr;
  std::vector<v1::JournalEntry> restored;
  // Names that failures give the hosts of ranks, by rank; empty: as the ranks call themselves.
  std::vector<std::string> rank_hosts;
  RunEvents events;
  // 1 asks for a checkpoint and a clean stop within limits.stop (then the attempt is ended, and
  // failed with cause NO_PROGRESS unless it still stopped); 2 ends the attempt at once.  An
  // evaluation, and new training whose rank 0 is not connected yet, have nothing to save: 1 ends
  // them at once.
  const std::atomic<int>* interrupt = nullptr;
};

// How long SIGUSR1 and SIGTERM are given: limits.stop, at most 5 s.
std::chrono::nanoseconds StopGrace(const v1::Limits& limits);

// One attempt of a job, from its start or adoption to its end, and the judgement of how it ended:
// sessions through the gateway, processes through supervisor and mpirun.
class AttemptRun {
 public:
  // The attempt's sessions are with the gateway from here on.  InvalidArgument; AlreadyExists for a
  // job that has sessions; DataLoss for a journal that makes no sense.
  static absl::StatusOr<std::unique_ptr<AttemptRun>> Create(AttemptRunOptions options);
  virtual ~AttemptRun() = default;
  // Blocks; call once.  An error means that the attempt did not start, or was left to itself:
  // FailedPrecondition when the run folder is in use, NotFound for nothing to adopt, Cancelled when
  // interrupted before the ranks started, or detached.
  virtual absl::StatusOr<jobs::RunOutcome> Run() = 0;
  // Has Run leave the attempt to its supervisor and return Cancelled.  Thread-safe.
  virtual void Detach() = 0;
};

}  // namespace ltml::coordinator
