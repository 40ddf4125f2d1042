#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>

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
  std::function<void(int64_t step, const std::string& folder)> checkpoint;
  std::function<void(const v1::Report&)> evaluation;
};

struct AttemptRunOptions {
  v1::WorkerTask task;  // complete but for attempt_epoch's sake: written to the attempt folder
  int ranks = 1;
  // How the attempt comes to life: a new one, or one that runs already.
  std::variant<launch::LaunchOptions, launch::AdoptOptions> start;
  WorkerGateway* gateway = nullptr;
  std::string token_sha256;
  AttemptJournal* journal = nullptr;
  std::vector<v1::JournalEntry> restored;
  RunEvents events;
  // 1 asks for a checkpoint and a clean stop within limits.stop (then the attempt is ended and
  // kFailed with cause NO_PROGRESS), 2 ends the attempt at once.  An evaluation, and training whose
  // rank 0 is not connected yet, have nothing to save: 1 ends them at once.
  const std::atomic<int>* interrupt = nullptr;
  // True: leave the attempt to itself and return Cancelled.
  const std::atomic<bool>* detach = nullptr;
};

// Runs or adopts one attempt to its end, and judges how it ended: sessions through the gateway,
// processes through supervisor and mpirun.  Blocks.  An error status means that it could not start
// at all (FailedPrecondition: the run folder is in use; NotFound: nothing to adopt; Cancelled).
absl::StatusOr<jobs::RunOutcome> RunAttempt(const AttemptRunOptions& options);

}  // namespace ltml::coordinator
