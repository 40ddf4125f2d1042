#include "worker/app/resume.h"

#include <array>

#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "common/statistics/convert.h"
#include "worker/app/cause.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/folders.h"

namespace ltml::worker {
namespace {

constexpr int64_t kNoCheckpoint = -1;
constexpr int64_t kUnusable = -2;

// Rank 0's part: the checkpoint to begin at, or none.
absl::StatusOr<StartingPoint> Look(const std::string& run_folder) {
  StartingPoint start;
  LTML_ASSIGN_OR_RETURN(const checkpoint::Listing listing,
                        checkpoint::List(checkpoint::CheckpointsOf(run_folder)));
  if (listing.steps.empty()) {
    base::Log(base::LogLevel::kWarning, "no_checkpoint", "run={} begin=0",
              base::LogValue(run_folder));
    return start;
  }
  absl::StatusOr<checkpoint::Newest> newest = checkpoint::FindNewest(run_folder);
  if (absl::IsNotFound(newest.status())) {
    return absl::DataLossError(std::string(newest.status().message()));
  }
  LTML_RETURN_IF_ERROR(newest.status());
  for (const std::string& sentence : newest->skipped) {
    base::Log(base::LogLevel::kWarning, "checkpoint_skipped", "reason={}",
              base::LogValue(sentence));
  }
  start.state = std::move(newest->state);
  start.folder = std::move(newest->folder);
  return start;
}

}  // namespace

absl::StatusOr<StartingPoint> FindStartingPoint(const v1::WorkerTask& task,
                                                train::Collective& collective,
                                                std::chrono::nanoseconds timeout) {
  const bool training = task.kind() == v1::WorkerTask::KIND_TRAIN;
  if (!training || task.checkpoint().empty()) return StartingPoint{};
  absl::StatusOr<StartingPoint> found = StartingPoint{};
  std::array<int64_t, 1> step = {kNoCheckpoint};
  if (collective.rank() == 0) {
    found = Look(task.run_folder());
    if (!found.ok()) {
      step[0] = kUnusable;
    } else if (found->state) {
      step[0] = found->state->step();
    }
  }
  LTML_RETURN_IF_ERROR(collective.Broadcast(train::BufferOf(std::span<int64_t>(step)), 0, timeout));
  if (collective.rank() == 0 || step[0] == kNoCheckpoint) {
    if (!found.ok()) return WithCause(found.status(), v1::FAILURE_CAUSE_STORAGE);
    return found;
  }
  if (step[0] == kUnusable) {
    return absl::AbortedError("rank 0 found no whole checkpoint; its own message says why");
  }
  found->folder = checkpoint::CheckpointsOf(task.run_folder()) / checkpoint::StepName(step[0]);
  found->state.emplace();
  LTML_RETURN_IF_ERROR(
      WithCause(base::ReadJsonFile(found->folder / checkpoint::kStateFile, &*found->state),
                v1::FAILURE_CAUSE_STORAGE));
  return found;
}

v1::StatisticsState ToProto(const train::StatisticsSnapshot& snapshot) {
  v1::StatisticsState state;
  state.set_step(snapshot.step);
  *state.mutable_totals_in_force() = statistics::ToProto(snapshot.totals_in_force);
  *state.mutable_previous_window() = statistics::ToProto(snapshot.previous_window);
  *state.mutable_open_window() = statistics::ToProto(snapshot.open_window);
  return state;
}

absl::StatusOr<train::StatisticsSnapshot> FromProto(const v1::StatisticsState& state, int classes) {
  train::StatisticsSnapshot snapshot;
  snapshot.step = state.step();
  LTML_ASSIGN_OR_RETURN(snapshot.totals_in_force,
                        statistics::FromProto(state.totals_in_force(), classes));
  LTML_ASSIGN_OR_RETURN(snapshot.previous_window,
                        statistics::FromProto(state.previous_window(), classes));
  LTML_ASSIGN_OR_RETURN(snapshot.open_window, statistics::FromProto(state.open_window(), classes));
  return snapshot;
}

}  // namespace ltml::worker
