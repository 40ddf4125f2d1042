#include "worker/app/resume.h"

#include <fmt/format.h>

#include <array>

#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "common/statistics/convert.h"
#include "worker/app/cause.h"
#include "worker/checkpoint/checkpoint.h"

namespace ltml::worker {
namespace {

constexpr int64_t kNoCheckpoint = -1;
constexpr int64_t kUnusable = -2;

std::filesystem::path CheckpointFolder(const std::string& run_folder, int64_t step) {
  return std::filesystem::path(run_folder) / "checkpoints" / fmt::format("step-{:09d}", step);
}

bool HasCheckpoints(const std::string& run_folder) {
  std::error_code error;
  const std::filesystem::directory_iterator folder(
      std::filesystem::path(run_folder) / "checkpoints", error);
  if (error) return false;
  for (const auto& entry : folder) {
    if (entry.path().filename().string().starts_with("step-")) return true;
  }
  return false;
}

// Rank 0's part: the checkpoint to begin at, or none.
absl::StatusOr<StartingPoint> Look(const std::string& run_folder) {
  StartingPoint start;
  if (!HasCheckpoints(run_folder)) {
    base::Log(base::LogLevel::kWarning, "no_checkpoint", "run={} begin=0",
              base::LogValue(run_folder));
    return start;
  }
  absl::StatusOr<checkpoint::Newest> newest = checkpoint::FindNewest(run_folder);
  if (!newest.ok()) return absl::DataLossError(std::string(newest.status().message()));
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
  if (task.checkpoint().empty()) return StartingPoint{};
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
    return WithCause(absl::DataLossError("rank 0 found no whole checkpoint"),
                     v1::FAILURE_CAUSE_STORAGE);
  }
  found->folder = CheckpointFolder(task.run_folder(), step[0]);
  found->state.emplace();
  LTML_RETURN_IF_ERROR(WithCause(base::ReadJsonFile(found->folder / "state.json", &*found->state),
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
