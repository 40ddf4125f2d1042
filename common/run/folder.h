#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ltml/v1/checkpoint.pb.h"
#include "ltml/v1/dataset.pb.h"
#include "ltml/v1/job.pb.h"

namespace ltml::run {

// A run folder holds job.json (the effective job), dataset.json (the training set's, to notice
// another one on resume), attempts/N/ and checkpoints/step-000000500/.  Shared by the programs that
// read and write them.

// Creates `folder`, or takes an empty one, and writes job.json and dataset.json.  AlreadyExists
// with the cure when something else is in it.
absl::Status StartRun(const std::filesystem::path& folder, const v1::JobSpec& job,
                      const v1::DatasetInfo& data);

// attempts/N of the largest N; empty without one.
std::filesystem::path NewestAttempt(const std::filesystem::path& run_folder);
std::filesystem::path AttemptFolder(const std::filesystem::path& run_folder, int64_t epoch);

// RUN/checkpoints
std::filesystem::path CheckpointsOf(const std::filesystem::path& run_folder);
std::string StepName(int64_t step);  // step-000000500
std::optional<int64_t> StepOf(std::string_view folder_name);
// Folders checkpoints/step-S that have a manifest, newest first.
std::vector<std::filesystem::path> Checkpoints(const std::filesystem::path& run_folder);

// Step of the best evaluation: highest validation mAP total, the earliest on ties; -1 for none.
int64_t BestStep(const v1::CheckpointState& state);

}  // namespace ltml::run
