#include "cli/run_folder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "cli/context.h"
#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "common/config/job_file.h"
#include "common/run/folder.h"

namespace ltml::cli {
namespace {

namespace fs = std::filesystem;

using run::kDataFile;
using run::kJobFile;

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool MayDiffer(std::string_view difference) {
  for (const std::string_view table : {"resources.", "limits.", "evaluation.", "checkpoint.",
                                       "queue.", "monitoring.", "data.loader_threads:"}) {
    if (difference.starts_with(table)) return true;
  }
  return false;
}

absl::Status CheckSettings(const fs::path& folder, const v1::JobSpec& recorded,
                           const v1::JobSpec& job) {
  std::vector<std::string> refused;
  for (const std::string& difference : config::Differences(recorded, job)) {
    const bool longer = difference.starts_with("schedule.steps:") &&
                        job.schedule().steps() > recorded.schedule().steps();
    if (!longer && !MayDiffer(difference)) refused.push_back(difference);
  }
  if (refused.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "the run in '{}' was started with other settings (its value != this one):\n{}\nA resumed run "
      "may change resources, limits, evaluation, checkpoint, queue, data.loader_threads and take "
      "more "
      "schedule.steps; start a new run for the rest",
      folder.string(), fmt::join(refused, "\n")));
}

absl::Status CheckData(const fs::path& folder, const v1::JobSpec& job,
                       const v1::DatasetInfo& data) {
  v1::DatasetInfo recorded;
  LTML_RETURN_IF_ERROR(DataFault(base::ReadJsonFile(folder / kDataFile, &recorded)));
  if (recorded.fingerprint() == data.fingerprint()) return absl::OkStatus();
  return absl::DataLossError(fmt::format(
      "data.train '{}' is not the set that the run in '{}' was started with: got fingerprint {}, "
      "expected {}; give the old set back its place, or start a new run",
      job.data().train(), folder.string(), data.fingerprint(), recorded.fingerprint()));
}

// A warm-up that follows from the steps would change with them in the middle of a run.
void KeepDerivedWarmup(const v1::Schedule& recorded, v1::Schedule* schedule) {
  if (schedule->warmup_steps() == config::DefaultWarmupSteps(schedule->steps())) {
    schedule->set_warmup_steps(recorded.warmup_steps());
  }
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const fs::path& folder) {
  Checkpoint checkpoint{folder, {}};
  LTML_RETURN_IF_ERROR(DataFault(base::ReadJsonFile(folder / "state.json", &checkpoint.state)));
  return checkpoint;
}

int64_t BestStep(const v1::CheckpointState& state) {
  int64_t best = -1;
  double highest = -1;
  for (const v1::EvaluationPoint& point : state.evaluations()) {
    if (!point.mean_average_precision().has_total()) continue;
    if (point.mean_average_precision().total() <= highest) continue;
    highest = point.mean_average_precision().total();
    best = point.step();
  }
  return best;
}

// The newest that can be read; the fault of the newest when none can.
absl::StatusOr<Checkpoint> NewestOf(const std::vector<fs::path>& checkpoints) {
  absl::Status fault;
  for (const fs::path& folder : checkpoints) {
    absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(folder);
    if (checkpoint.ok()) return checkpoint;
    base::Log(base::LogLevel::kWarning, "checkpoint_skipped", "reason={}",
              base::LogValue(std::string(checkpoint.status().message())));
    if (fault.ok()) fault = checkpoint.status();
  }
  return fault;
}

absl::StatusOr<Checkpoint> BestOf(const std::vector<fs::path>& checkpoints) {
  LTML_ASSIGN_OR_RETURN(Checkpoint newest, NewestOf(checkpoints));
  const std::string best = fmt::format("step-{:09}", BestStep(newest.state));
  for (const fs::path& folder : checkpoints) {
    if (folder.filename() == best) return ReadCheckpoint(folder);
  }
  return newest;
}

}  // namespace

fs::path DefaultRunFolder(const std::string& name, std::chrono::system_clock::time_point now) {
  const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(now);
  return fs::path("runs") / fmt::format("{}-{:%Y%m%dT%H%M%SZ}", name, fmt::gmtime(seconds));
}

absl::StatusOr<fs::path> NewestRunFolder(const std::string& name) {
  // Times of one width sort like their text.
  constexpr size_t kTimeLength = sizeof("20260102T030405Z") - 1;
  fs::path newest;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("runs", error)) {
    const std::string folder = entry.path().filename().string();
    if (folder.starts_with(name + "-") && folder.size() == name.size() + 1 + kTimeLength &&
        Exists(entry.path() / kJobFile) && entry.path() > newest) {
      newest = entry.path();
    }
  }
  if (!newest.empty()) return newest;
  return absl::NotFoundError(fmt::format(
      "no run 'runs/{}-TIME' to resume; name its folder with --run, or leave --resume out", name));
}

absl::Status RecordJob(const fs::path& folder, const v1::JobSpec& job) {
  return base::WriteJsonFile(folder / kJobFile, job);
}

absl::Status StartRun(const fs::path& folder, const v1::JobSpec& job, const v1::DatasetInfo& data) {
  std::error_code error;
  fs::create_directories(folder, error);
  const bool empty = !error && fs::is_empty(folder, error);
  if (error) {
    return absl::InternalError(
        fmt::format("cannot create the run folder '{}': {}", folder.string(), error.message()));
  }
  if (!empty) {
    return absl::AlreadyExistsError(fmt::format(
        "the run folder '{}' is not empty; go on with its run by --resume, or name another folder "
        "with --run",
        folder.string()));
  }
  return run::RecordRun(folder, job, data);
}

absl::StatusOr<v1::JobSpec> CheckResume(const fs::path& folder, v1::JobSpec job,
                                        const v1::DatasetInfo& data) {
  if (!Exists(folder / kJobFile)) {
    return absl::NotFoundError(
        fmt::format("no run to resume in '{}': it has no {}; leave --resume out to start one there",
                    folder.string(), kJobFile));
  }
  v1::JobSpec recorded;
  LTML_RETURN_IF_ERROR(DataFault(base::ReadJsonFile(folder / kJobFile, &recorded)));
  KeepDerivedWarmup(recorded.schedule(), job.mutable_schedule());
  LTML_RETURN_IF_ERROR(CheckSettings(folder, recorded, job));
  LTML_RETURN_IF_ERROR(CheckData(folder, job, data));
  return job;
}

absl::StatusOr<Checkpoint> FindCheckpoint(const fs::path& path) {
  if (!Exists(path)) {
    return absl::NotFoundError(fmt::format("no checkpoint or run folder '{}'", path.string()));
  }
  if (Exists(path / "manifest.json")) return ReadCheckpoint(path);
  const std::vector<fs::path> checkpoints = Checkpoints(path);
  if (!checkpoints.empty()) return BestOf(checkpoints);
  return absl::NotFoundError(fmt::format(
      "'{}' holds no checkpoint: expected a folder with a manifest.json, or a run folder "
      "with checkpoints/",
      path.string()));
}

}  // namespace ltml::cli
