#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/run/folder.h"
#include "ltml/v1/checkpoint.pb.h"
#include "ltml/v1/dataset.pb.h"
#include "ltml/v1/job.pb.h"

namespace ltml::cli {

// A run folder holds job.json (the effective job), dataset.json (the training set's, to notice
// another one on resume), attempts/N/ and checkpoints/step-S/.

// "runs/<name>-20260102T030405Z".
std::filesystem::path DefaultRunFolder(const std::string& name,
                                       std::chrono::system_clock::time_point now);

// The newest folder runs/<name>-<time> that holds a job.  NotFound without one.
absl::StatusOr<std::filesystem::path> NewestRunFolder(const std::string& name);

// Creates `folder`, or takes an empty one, and writes job.json and dataset.json.  AlreadyExists
// with the cure when something is in it.
absl::Status StartRun(const std::filesystem::path& folder, const v1::JobSpec& job,
                      const v1::DatasetInfo& data);

// Compares with what the run recorded: only resources, limits, evaluation, checkpoint,
// data.loader_threads and a larger schedule.steps may differ, and the training set must be the
// same. In place of a warm-up that follows from the number of steps, the recorded one is taken.
// Returns the job to go on with; writes nothing.
absl::StatusOr<v1::JobSpec> CheckResume(const std::filesystem::path& folder, v1::JobSpec job,
                                        const v1::DatasetInfo& data);

absl::Status RecordJob(const std::filesystem::path& folder, const v1::JobSpec& job);

using run::Checkpoints;
using run::NewestAttempt;

struct Checkpoint {
  std::filesystem::path folder;
  v1::CheckpointState state;
};

// A checkpoint folder itself, or the best checkpoint of a run folder (highest validation mAP, the
// earliest on ties; the newest without a validation).  A checkpoint whose state.json is damaged is
// passed over with a warning when an older one can be read.  NotFound when there is none.
absl::StatusOr<Checkpoint> FindCheckpoint(const std::filesystem::path& path);

}  // namespace ltml::cli
