#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ltml/v1/checkpoint.pb.h"
#include "worker/model/network.h"

namespace ltml::checkpoint {

// A run's folder checkpoints/ holds step-000000500/ with model.safetensors, optimizer.safetensors,
// state.json and manifest.json (sizes and sha256 of the others).  A folder is complete or absent:
// written under a temporary name, synced, renamed, parent synced.  One process writes a run's
// checkpoints at a time (the lock of the run sees to it); reading needs no lock.
constexpr std::string_view kModelFile = "model.safetensors";
constexpr std::string_view kOptimizerFile = "optimizer.safetensors";
constexpr std::string_view kStateFile = "state.json";
constexpr std::string_view kManifestFile = "manifest.json";
constexpr int kFormatVersion = 1;

// sha256 over the tensors; state.model_digest of the last step is a run's model_digest.
std::string ModelDigest(const std::vector<model::NamedTensor>& tensors);

// Either may be empty.
struct WriteHooks {
  std::function<void()> progress;  // once a tensor
  // When everything is written, before it gets its name: an error keeps it from appearing.
  std::function<absl::Status()> confirm;
};

// Writes checkpoints/step-<state.step>; one of the same step already there is replaced, in one
// exchange where the file system can.  Returns the folder.  format_version and a missing
// model_digest are filled in.  Internal when the disk refuses, with its reason, or the error of
// `confirm`; nothing of the attempt stays then, and what was there is untouched.
absl::StatusOr<std::filesystem::path> Write(const std::filesystem::path& run_folder,
                                            const v1::CheckpointState& state,
                                            const std::vector<model::NamedTensor>& model,
                                            const std::vector<model::NamedTensor>& optimizer,
                                            const WriteHooks& hooks);

// Checks the manifest, sizes and digests of one checkpoint folder.  DataLoss names the damaged or
// missing file, with the digest it has and the one it should have.  NotFound without a folder;
// FailedPrecondition for a format of a later version.  Reads every byte.
absl::StatusOr<v1::CheckpointState> Verify(const std::filesystem::path& folder);

// Copies the tensors of a file in `folder` ("model.safetensors") into `tensors` in place, by name;
// InvalidArgument names every missing, extra or misshaped one.
absl::Status LoadInto(const std::filesystem::path& folder, std::string_view file,
                      const std::vector<model::NamedTensor>& tensors);

struct Newest {
  std::filesystem::path folder;
  v1::CheckpointState state;
  std::vector<std::string> skipped;  // one sentence for each newer one that is damaged
};
// The newest whole checkpoint of a run.  NotFound when there is none, with what was skipped;
// another error when the folder cannot be read or the newest has the format of a later version.
absl::StatusOr<Newest> FindNewest(const std::filesystem::path& run_folder);

// Removes all but the `keep` newest (at least one), the best of each of these, and the one of step
// `best_step` (-1: none), and leftovers of interrupted writes.  The newest whole one is always kept
// and counts as the first of the `keep`; damaged newer ones stay for inspection.  Without a whole
// one no checkpoint is removed.
absl::Status Retain(const std::filesystem::path& run_folder, int keep, int64_t best_step);

// Step of the best evaluation: highest validation mAP total, the earliest on ties; -1 for none.
int64_t BestStep(const v1::CheckpointState& state);

}  // namespace ltml::checkpoint
