#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/jobs/run_outcome.h"
#include "ltml/v1/report.pb.h"
#include "ltml/v1/run.pb.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::coordinator {

// What a person watching wants to hear of, in order.  Called from one thread at a time.
struct RunEvents {
  std::function<void(int rank, const std::string& host, int ranks)> rank_connected;
  std::function<void(const v1::StepMetrics&)> step;
  std::function<void(const v1::Progress&)> progress;  // rank 0's
  std::function<void(int64_t step, const std::string& folder)> checkpoint;
  std::function<void(const v1::Report&)> evaluation;
};

struct LocalRunOptions {
  v1::WorkerTask task;           // coordinator address and epoch are filled in here
  std::filesystem::path folder;  // run folder (train) or a scratch folder (evaluate)
  int ranks = 1;
  int classes = 0;
  RunEvents events;
  // Set by Ctrl-C: 1 asks for a checkpoint and a clean stop within limits.stop (then the attempt is
  // ended and kFailed with cause NO_PROGRESS), 2 ends the attempt at once.  An evaluation, and
  // training whose rank 0 is not connected yet, have nothing to save: 1 ends them at once.
  const std::atomic<int>* interrupt = nullptr;
};

// One attempt on this machine: a coordinator on a private Unix socket inside this process, ranks
// through supervisor and mpirun.  An error status means that it could not start at all
// (FailedPrecondition: the run folder is in use; Cancelled: interrupted before the ranks started).
absl::StatusOr<jobs::RunOutcome> RunLocally(const LocalRunOptions& options);

}  // namespace ltml::coordinator
