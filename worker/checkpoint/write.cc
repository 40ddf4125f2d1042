#include <fmt/format.h>

#include <exception>
#include <utility>

#include "common/base/proto_json.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/folders.h"
#include "worker/model/tensor_io.h"
#include "worker/model/torch_status.h"

namespace ltml::checkpoint {
namespace {

absl::Status AddToManifest(const std::filesystem::path& file, std::string sha256,
                           v1::CheckpointManifest& manifest) {
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(file, error);
  if (error) {
    return absl::InternalError(
        fmt::format("cannot examine '{}': {}", file.string(), error.message()));
  }
  v1::FileDigest& digest = *manifest.add_files();
  digest.set_name(file.filename().string());
  digest.set_bytes(static_cast<int64_t>(bytes));
  digest.set_sha256(std::move(sha256));
  return absl::OkStatus();
}

absl::Status WriteTensors(const std::filesystem::path& file, const model::HostTensors& tensors,
                          const std::function<void()>& progress, v1::CheckpointManifest& manifest) {
  base::Sha256 digest;
  LTML_RETURN_IF_ERROR(safetensors::Write(file, tensors.views(), {{"format", "pt"}},
                                          {.tensor_written = progress, .digest = &digest}));
  return AddToManifest(file, digest.HexDigest(), manifest);
}

absl::Status WriteState(const std::filesystem::path& file, const v1::CheckpointState& state,
                        v1::CheckpointManifest& manifest) {
  LTML_RETURN_IF_ERROR(base::WriteJsonFile(file, state));
  LTML_ASSIGN_OR_RETURN(std::string sha256, base::FileSha256(file));
  return AddToManifest(file, std::move(sha256), manifest);
}

struct Content {
  v1::CheckpointState state;
  model::HostTensors model, optimizer;
};

absl::Status WriteFiles(const std::filesystem::path& folder, const Content& content,
                        const std::function<void()>& progress) {
  v1::CheckpointManifest manifest;
  manifest.set_format_version(kFormatVersion);
  LTML_RETURN_IF_ERROR(WriteTensors(folder / kModelFile, content.model, progress, manifest));
  LTML_RETURN_IF_ERROR(
      WriteTensors(folder / kOptimizerFile, content.optimizer, progress, manifest));
  LTML_RETURN_IF_ERROR(WriteState(folder / kStateFile, content.state, manifest));
  return base::WriteJsonFile(folder / kManifestFile, manifest);
}

}  // namespace

std::string ModelDigest(const std::vector<model::NamedTensor>& tensors) {
  return safetensors::Digest(model::HostTensors(tensors).views());
}

absl::StatusOr<std::filesystem::path> Write(const std::filesystem::path& run_folder,
                                            const v1::CheckpointState& state,
                                            const std::vector<model::NamedTensor>& model,
                                            const std::vector<model::NamedTensor>& optimizer,
                                            const WriteHooks& hooks) try {
  Content content{state, model::HostTensors(model), model::HostTensors(optimizer)};
  content.state.set_format_version(kFormatVersion);
  if (state.model_digest().empty()) {
    content.state.set_model_digest(safetensors::Digest(content.model.views()));
  }
  const std::filesystem::path checkpoints = CheckpointsOf(run_folder);
  LTML_ASSIGN_OR_RETURN(StagingFolder staging, StagingFolder::Create(checkpoints));
  LTML_RETURN_IF_ERROR(WriteFiles(staging.path(), content, hooks.progress));
  if (hooks.confirm) LTML_RETURN_IF_ERROR(hooks.confirm());
  const std::filesystem::path target = checkpoints / StepName(state.step());
  LTML_RETURN_IF_ERROR(staging.Install(target));
  return target;
} catch (...) {
  return model::StatusOfException();
}

}  // namespace ltml::checkpoint
