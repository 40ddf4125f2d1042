#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "ltml/v1/run.pb.h"
#include "worker/app/device.h"
#include "worker/app/run_log.h"
#include "worker/app/stop_signal.h"
#include "worker/session/session.h"
#include "worker/train/collective.h"

namespace ltml::worker {

// What a rank has once it is connected: its place among the ranks and its coordinator.
struct Rank {
  v1::WorkerTask task;
  std::unique_ptr<train::Collective> host_collective;  // in memory of the host
  std::unique_ptr<session::Session> session;
  RankDevice device;

  int rank() const { return host_collective->rank(); }
  int world_size() const { return host_collective->world_size(); }
  train::Collective& collective() const {
    return device.collective != nullptr ? *device.collective : *host_collective;
  }
  bool is_first() const { return rank() == 0; }
};

class TensorboardLog;

// What rank 0 writes of each logged step; none on other ranks.
struct StepLogs {
  RunLog* metrics = nullptr;
  TensorboardLog* tensorboard = nullptr;
};

// The trainer's monitor: tells the session, writes the logs of steps, and remembers where the rank
// is, for the failure message.
class RankMonitor : public train::Monitor {
 public:
  RankMonitor(session::Session& session, StepLogs logs) : session_(session), logs_(logs) {}

  void Progress(train::Phase phase, int64_t counter, int64_t step) override {
    session_.Progress(phase, counter, step);
  }
  void Step(const train::StepReport& report) override;
  void Times(const train::RankTimes& times) override { session_.Times(times); }
  // The coordinator's command, or that of a supervisor that stops the attempt without one.
  train::Command Poll() override {
    const train::Command command = session_.Poll();
    return StopSignalled() ? train::Command::kStop : command;
  }

  // The first error of writing metrics.jsonl.
  const absl::Status& log_status() const { return log_status_; }

 private:
  session::Session& session_;
  StepLogs logs_;
  absl::Status log_status_;
};

// Marks a phase whose work moves no counter of its own (loading, one checkpoint tensor more).
class PhaseCounter {
 public:
  PhaseCounter(train::Monitor& monitor, train::Phase phase, int64_t step)
      : monitor_(monitor), phase_(phase), step_(step) {
    Advance();
  }
  void Advance() { monitor_.Progress(phase_, ++counter_, step_); }

 private:
  train::Monitor& monitor_;
  train::Phase phase_;
  int64_t step_;
  int64_t counter_ = 0;
};

}  // namespace ltml::worker
