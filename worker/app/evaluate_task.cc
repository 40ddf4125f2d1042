#include "worker/app/evaluate_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "common/config/job_file.h"
#include "common/safetensors/safetensors.h"
#include "worker/app/cause.h"
#include "worker/app/evaluation.h"
#include "worker/app/options.h"
#include "worker/app/report.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/model/tensor_io.h"

namespace ltml::worker {
namespace {

using DatasetPointer = std::shared_ptr<const dataset::Dataset>;

absl::StatusOr<DatasetPointer> OpenData(const std::string& folder,
                                        const v1::CheckpointState& state) {
  auto data = dataset::Dataset::Open(folder);
  if (!data.ok()) return WithCause(data.status(), v1::FAILURE_CAUSE_DATA);
  const std::vector<std::string> expected(state.classes().begin(), state.classes().end());
  if ((*data)->class_names() == expected) return data;
  return WithCause(absl::InvalidArgumentError(fmt::format(
                       "the class table of '{}' ({} classes) differs from the model's ({} "
                       "classes): import it with --classes naming the training set",
                       folder, (*data)->classes(), expected.size())),
                   v1::FAILURE_CAUSE_DATA);
}

absl::StatusOr<std::unique_ptr<model::Network>> LoadNetwork(const std::string& folder,
                                                            const v1::CheckpointState& state,
                                                            at::Device device) {
  LTML_ASSIGN_OR_RETURN(
      std::unique_ptr<model::Network> network,
      model::Network::Create(NetworkOptionsOf(state.job(), state.classes_size(), device), 0));
  std::vector<model::NamedTensor> tensors = network->parameters();
  tensors.insert(tensors.end(), network->buffers().begin(), network->buffers().end());
  const std::string path = (std::filesystem::path(folder) / checkpoint::kModelFile).string();
  const auto file = safetensors::File::Open(path);
  if (!file.ok()) return WithCause(file.status(), v1::FAILURE_CAUSE_STORAGE);
  // Learnable compensation belongs to the loss; predictions are made without it.
  const model::CopyRules rules = {.convert = false, .ignore = [](std::string_view name) {
                                    return name.starts_with("compensation.");
                                  }};
  LTML_RETURN_IF_ERROR(
      WithCause(model::CopyByName(*file, fmt::format("'{}'", path), tensors, rules),
                v1::FAILURE_CAUSE_STORAGE));
  return network;
}

v1::Report MakeReport(const Rank& rank, const v1::CheckpointState& state,
                      const dataset::Dataset& data, const Scores& scores, double seconds) {
  v1::Report report;
  FillEvaluation(scores.evaluation, data.class_names(),
                 {state.train_counts().begin(), state.train_counts().end()}, &report);
  report.set_job(state.job().name());
  report.set_images(data.images());
  report.set_steps(state.step());
  report.set_world_size(rank.world_size());
  report.set_seconds(seconds);
  report.set_images_per_second(static_cast<double>(data.images()) / std::max(seconds, 1e-9));
  report.set_settings_digest(config::SettingsDigest(state.job()));
  report.set_data_fingerprint(data.fingerprint());
  report.set_model_digest(state.model_digest());
  report.set_evaluated_on(data.folder().string());
  report.set_evaluated_step(state.step());
  return report;
}

absl::Status WriteResults(const v1::WorkerTask& task, const v1::Report& report,
                          const v1::CheckpointState& state, const dataset::Dataset& data,
                          const Scores& scores) {
  if (!task.predictions_file().empty()) {
    std::vector<std::string> names;
    for (int64_t i = 0; i < data.images(); ++i) names.emplace_back(data.name(i));
    LTML_RETURN_IF_ERROR(WritePredictions(task.predictions_file(), names,
                                          {state.classes().begin(), state.classes().end()},
                                          scores.scores_NK));
  }
  return base::WriteJsonFile(task.report_file(), report);
}

}  // namespace

absl::StatusOr<v1::Finished> RunEvaluation(Rank& rank) {
  const v1::WorkerTask& task = rank.task;
  RankMonitor monitor(*rank.session, {});
  PhaseCounter phase(monitor, train::Phase::kWeights, 0);
  const auto state = checkpoint::Verify(task.checkpoint());
  if (!state.ok()) return WithCause(state.status(), v1::FAILURE_CAUSE_STORAGE);
  phase.Advance();
  LTML_ASSIGN_OR_RETURN(const DatasetPointer data, OpenData(task.dataset(), *state));
  LTML_ASSIGN_OR_RETURN(const std::unique_ptr<model::Network> network,
                        LoadNetwork(task.checkpoint(), *state, rank.device.device));
  v1::JobSpec job = state->job();
  *job.mutable_limits() = task.job().limits();
  const auto start = std::chrono::steady_clock::now();
  LTML_ASSIGN_OR_RETURN(
      const Scores scores,
      EvaluateOn(data, job, {state->train_counts().begin(), state->train_counts().end()},
                 task.flip(), state->step(), *network, rank, monitor));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (rank.is_first()) {
    const v1::Report report = MakeReport(rank, *state, *data, scores, seconds);
    LTML_RETURN_IF_ERROR(
        WithCause(WriteResults(task, report, *state, *data, scores), v1::FAILURE_CAUSE_STORAGE));
    rank.session->EvaluationDone(report);
  }
  v1::Finished finished;
  finished.set_step(state->step());
  return finished;
}

}  // namespace ltml::worker
