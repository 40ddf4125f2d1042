#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/jobs/run_outcome.h"
#include "ltml/v1/statistics.pb.h"
#include "ltml/v1/store.pb.h"

namespace ltml::service {

// What an attempt tells the manager.  Called on any thread, one call at a time per attempt, and may
// call back into the manager.
struct AttemptEvents {
  std::function<void()> connected;  // all ranks said hello; again after a restart of the server
  std::function<void(const v1::StepMetrics&)> step;
  std::function<void(int64_t step)> progress;
  // Every rank's sign of life, at least once a second.
  std::function<void(int rank, const v1::Progress&)> rank_progress;
  std::function<void(const v1::CheckpointWritten&)> checkpoint;
  std::function<void(const v1::Report&)> evaluation;
  std::function<void(std::shared_ptr<const v1::ClassStatistics>)> statistics;
  // Last: nothing of the attempt is left on any host.
  std::function<void(const jobs::RunOutcome&)> ended;
};

// An attempt that runs in the background.  Destroying it leaves the processes alone; no event comes
// after the destructor has returned.
class RunningAttempt {
 public:
  virtual ~RunningAttempt() = default;
  // Asks the ranks for a checkpoint and an end; after limits.stop the supervisor ends them
  // (SIGUSR1, SIGTERM, SIGKILL).  Repeats do nothing.
  virtual void Stop(const std::string& reason) = 0;
  // Begins what the destructor does and does not wait for it, so that many end at the same time.
  virtual void Detach() = 0;
};

// Runs attempts: ranks on hosts, their sessions, and the judgement of how they ended.
class AttemptRunner {
 public:
  virtual ~AttemptRunner() = default;
  // Starts the ranks of an attempt.  Failures come as `ended`, with cause LAUNCH.  The record is
  // durable already.  `token` is the attempt's, of which the record holds the digest.
  virtual std::unique_ptr<RunningAttempt> Start(const v1::Job& job,
                                                const v1::AttemptRecord& attempt,
                                                const std::string& token, AttemptEvents events) = 0;
  // Goes on with an attempt that an earlier server started.  One that was never started comes as
  // `ended` with kNotStarted; one whose supervisor is gone with cause LAUNCH or COORDINATOR_LOST,
  // after everything that was left of it has been ended.
  virtual std::unique_ptr<RunningAttempt> Adopt(const v1::Job& job,
                                                const v1::AttemptRecord& attempt,
                                                AttemptEvents events) = 0;
};

}  // namespace ltml::service
