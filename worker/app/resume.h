#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "absl/status/statusor.h"
#include "ltml/v1/checkpoint.pb.h"
#include "ltml/v1/run.pb.h"
#include "worker/train/collective.h"
#include "worker/train/trainer.h"

namespace ltml::worker {

// Where a training attempt begins: at a checkpoint, or at step 0.
struct StartingPoint {
  std::optional<v1::CheckpointState> state;
  std::filesystem::path folder;  // of the checkpoint
};

// Rank 0 looks for the newest whole checkpoint (task.checkpoint = "newest") and tells the others
// its step, so that all begin at the same one.  A run without any checkpoint begins at step 0; a
// run whose checkpoints are all damaged is DataLoss naming them.  An evaluation begins nowhere.
absl::StatusOr<StartingPoint> FindStartingPoint(const v1::WorkerTask& task,
                                                train::Collective& collective,
                                                std::chrono::nanoseconds timeout);

v1::StatisticsState ToProto(const train::StatisticsSnapshot& snapshot);
absl::StatusOr<train::StatisticsSnapshot> FromProto(const v1::StatisticsState& state, int classes);

}  // namespace ltml::worker
