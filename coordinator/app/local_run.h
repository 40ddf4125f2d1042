#pragma once

#include <atomic>
#include <filesystem>

#include "absl/status/statusor.h"
#include "coordinator/app/attempt_run.h"
#include "coordinator/jobs/run_outcome.h"
#include "ltml/v1/run.pb.h"

namespace ltml::coordinator {

struct LocalRunOptions {
  v1::WorkerTask task;           // coordinator address and epoch are filled in here
  std::filesystem::path folder;  // run folder (train) or a scratch folder (evaluate)
  int ranks = 1;
  int classes = 0;
  RunEvents events;
  const std::atomic<int>* interrupt = nullptr;  // set by Ctrl-C, as AttemptRunOptions tells
};

// One attempt on this machine: a coordinator on a private Unix socket inside this process, ranks
// through supervisor and mpirun.  An error status means that it could not start at all
// (FailedPrecondition: the run folder is in use; Cancelled: interrupted before the ranks started).
absl::StatusOr<jobs::RunOutcome> RunLocally(const LocalRunOptions& options);

}  // namespace ltml::coordinator
