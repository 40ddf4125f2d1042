#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "common/base/proto_json.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/folders.h"
#include "worker/model/tensor_io.h"

namespace ltml::checkpoint {
namespace {

template <typename... Args>
absl::Status Damaged(fmt::format_string<Args...> format, Args&&... args) {
  return absl::DataLossError(fmt::format(format, std::forward<Args>(args)...));
}

absl::Status CheckFile(const std::filesystem::path& file, const v1::FileDigest& want) {
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(file, error);
  if (error) return Damaged("'{}' is damaged: {}", file.string(), error.message());
  if (static_cast<int64_t>(bytes) != want.bytes()) {
    return Damaged("'{}' is damaged: it has {} bytes, expected {}", file.string(), bytes,
                   want.bytes());
  }
  LTML_ASSIGN_OR_RETURN(const std::string sha256, base::FileSha256(file));
  if (sha256 == want.sha256()) return absl::OkStatus();
  return Damaged("'{}' is damaged: its sha256 is {}, expected {}", file.string(), sha256,
                 want.sha256());
}

absl::Status CheckVersion(const std::filesystem::path& file, int version) {
  if (version < 1) return Damaged("'{}' is damaged: it has no format_version", file.string());
  if (version <= kFormatVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("'{}' has format {}, this version of ltml reads 1..{}: use a newer ltml",
                  file.string(), version, kFormatVersion));
}

// A small file whose content does not parse is as damaged as one whose digest is off.
absl::Status ReadSmall(const std::filesystem::path& file, google::protobuf::Message* message) {
  absl::Status status = base::ReadJsonFile(file, message);
  if (status.ok()) return status;
  return Damaged("'{}' is damaged: {}", file.string(), std::string(status.message()));
}

// Names in a manifest lead nowhere else, and the needed files are among them.
absl::Status CheckNames(const std::filesystem::path& manifest_file,
                        const v1::CheckpointManifest& manifest) {
  for (const std::string_view name : {kModelFile, kOptimizerFile, kStateFile}) {
    const auto& files = manifest.files();
    if (std::ranges::count(files, name, &v1::FileDigest::name) == 1) continue;
    return Damaged("'{}' is damaged: it does not list {} once", manifest_file.string(), name);
  }
  if (manifest.files_size() == 3) return absl::OkStatus();
  return Damaged("'{}' is damaged: it lists {} files, expected 3", manifest_file.string(),
                 manifest.files_size());
}

absl::Status CheckManifest(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kManifestFile;
  v1::CheckpointManifest manifest;
  LTML_RETURN_IF_ERROR(ReadSmall(file, &manifest));
  LTML_RETURN_IF_ERROR(CheckVersion(file, manifest.format_version()));
  LTML_RETURN_IF_ERROR(CheckNames(file, manifest));
  for (const v1::FileDigest& want : manifest.files()) {
    LTML_RETURN_IF_ERROR(CheckFile(folder / want.name(), want));
  }
  return absl::OkStatus();
}

// A folder may have any name when a user copied it, but a step's name must be true.
absl::Status CheckStep(const std::filesystem::path& folder, int64_t step) {
  const std::optional<int64_t> named = StepOf(folder.filename().string());
  if (!named || *named == step) return absl::OkStatus();
  return Damaged("'{}' is damaged: its step is {}, expected {}", (folder / kStateFile).string(),
                 step, *named);
}

}  // namespace

absl::StatusOr<v1::CheckpointState> Verify(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return absl::NotFoundError(fmt::format("there is no checkpoint folder '{}'", folder.string()));
  }
  LTML_RETURN_IF_ERROR(CheckManifest(folder));
  v1::CheckpointState state;
  LTML_RETURN_IF_ERROR(ReadSmall(folder / kStateFile, &state));
  LTML_RETURN_IF_ERROR(CheckVersion(folder / kStateFile, state.format_version()));
  LTML_RETURN_IF_ERROR(CheckStep(folder, state.step()));
  return state;
}

absl::Status LoadInto(const std::filesystem::path& folder, std::string_view file,
                      const std::vector<model::NamedTensor>& tensors) {
  const std::filesystem::path path = folder / file;
  LTML_ASSIGN_OR_RETURN(const safetensors::File opened, safetensors::File::Open(path));
  return model::CopyByName(opened, fmt::format("'{}'", path.string()), tensors, {});
}

absl::StatusOr<Newest> FindNewest(const std::filesystem::path& run_folder) {
  const std::filesystem::path checkpoints = CheckpointsOf(run_folder);
  LTML_ASSIGN_OR_RETURN(const Listing listing, List(checkpoints));
  Newest newest;
  for (const int64_t step : listing.steps) {
    newest.folder = checkpoints / StepName(step);
    absl::StatusOr<v1::CheckpointState> state = Verify(newest.folder);
    if (state.ok()) {
      newest.state = *std::move(state);
      return newest;
    }
    if (!absl::IsDataLoss(state.status())) return state.status();
    newest.skipped.push_back(std::string(state.status().message()));
  }
  std::string message = fmt::format("there is no whole checkpoint in '{}'", checkpoints.string());
  if (!newest.skipped.empty()) message += fmt::format(": {}", fmt::join(newest.skipped, "; "));
  return absl::NotFoundError(message);
}

int64_t BestStep(const v1::CheckpointState& state) {
  const v1::EvaluationPoint* best = nullptr;
  for (const v1::EvaluationPoint& point : state.evaluations()) {
    if (!point.mean_average_precision().has_total()) continue;
    const double total = point.mean_average_precision().total();
    const double most = best != nullptr ? best->mean_average_precision().total() : -1;
    if (total > most || (total == most && point.step() < best->step())) best = &point;
  }
  return best != nullptr ? best->step() : -1;
}

}  // namespace ltml::checkpoint
