#include "worker/app/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/config/job_file.h"
#include "common/dataset/dataset.h"
#include "common/run/folder.h"
#include "common/safetensors/safetensors.h"
#include "common/statistics/convert.h"
#include "worker/app/cause.h"
#include "worker/app/evaluation.h"
#include "worker/app/options.h"
#include "worker/app/report.h"
#include "worker/app/tensorboard_log.h"
#include "worker/app/tracing.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/folders.h"
#include "worker/collective/shared_memory.h"

namespace ltml::worker {
namespace {

using Clock = std::chrono::steady_clock;
using DatasetPointer = std::shared_ptr<const dataset::Dataset>;

absl::StatusOr<DatasetPointer> OpenData(const std::string& folder) {
  absl::StatusOr<DatasetPointer> data = dataset::Dataset::Open(folder);
  if (!data.ok()) return WithCause(data.status(), v1::FAILURE_CAUSE_DATA);
  return data;
}

absl::StatusOr<DatasetPointer> OpenLike(const std::string& folder, const dataset::Dataset& like) {
  if (folder.empty()) return DatasetPointer();
  LTML_ASSIGN_OR_RETURN(DatasetPointer data, OpenData(folder));
  if (data->class_names() == like.class_names()) return data;
  return WithCause(
      absl::InvalidArgumentError(fmt::format(
          "the class table of '{}' differs from that of '{}': import it with --classes '{}'",
          folder, like.folder().string(), like.folder().string())),
      v1::FAILURE_CAUSE_DATA);
}

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The next multiple of `every` after `step`; `last` where there is none before it.
int64_t NextDue(int64_t step, int64_t every, int64_t last) {
  return every <= 0 ? last : std::min(last, (step / every + 1) * every);
}

// One training attempt of one rank.
class Training {
 public:
  static absl::StatusOr<std::unique_ptr<Training>> Create(Rank& rank, const StartingPoint& start);
  absl::StatusOr<v1::Finished> Run();

 private:
  explicit Training(Rank& rank) : rank_(rank), job_(rank.task.job()) {}

  absl::Status OpenLogs();
  StepLogs LogsOfSteps();
  absl::Status OpenDatasets();
  absl::Status BuildNetwork(bool fresh);
  train::ShareMemory MemorySharing();
  absl::Status BuildTrainer(const StartingPoint& start);
  absl::Status Restore(const StartingPoint& start);
  absl::Status ReachBoundary();
  bool EvaluationIsDue() const;
  absl::StatusOr<train::Command> NextBoundary();
  absl::Status Evaluate();
  absl::Status WriteCheckpoint();
  absl::Status SaveState(const train::StatisticsSnapshot& statistics, PhaseCounter& phase);
  absl::Status ConfirmCheckpoint();
  absl::Status Report();
  absl::Status LoadWeightsOf(int64_t step);
  absl::Status EvaluateFinal(v1::Report* report);
  v1::Finished Finished(bool stopped) const;

  Rank& rank_;
  const v1::JobSpec& job_;
  Clock::time_point start_ = Clock::now();
  DatasetPointer train_set_, validation_set_, test_set_;
  std::optional<RunLog> log_, validations_;  // rank 0's
  TensorboardLog tensorboard_;               // rank 0's
  std::optional<RankMonitor> monitor_;
  std::unique_ptr<model::Network> network_;
  std::unique_ptr<train::BatchSource> batches_;
  std::unique_ptr<train::Trainer> trainer_;
  v1::CheckpointState state_;
  int64_t checkpoint_step_ = -1;
};

absl::StatusOr<std::unique_ptr<Training>> Training::Create(Rank& rank, const StartingPoint& start) {
  std::unique_ptr<Training> training(new Training(rank));
  if (start.state) training->state_ = *start.state;
  if (rank.is_first()) {
    LTML_RETURN_IF_ERROR(WithCause(training->OpenLogs(), v1::FAILURE_CAUSE_STORAGE));
  }
  training->monitor_.emplace(*rank.session, training->LogsOfSteps());
  PhaseCounter phase(*training->monitor_, train::Phase::kWeights, training->state_.step());
  LTML_RETURN_IF_ERROR(training->OpenDatasets());
  phase.Advance();
  LTML_RETURN_IF_ERROR(training->BuildNetwork(!start.state));
  phase.Advance();
  LTML_RETURN_IF_ERROR(training->BuildTrainer(start));
  phase.Advance();
  LTML_RETURN_IF_ERROR(
      training->trainer_->BroadcastWeights(base::ToNanoseconds(rank.task.job().limits().start())));
  return training;
}

absl::Status Training::OpenLogs() {
  const std::filesystem::path folder = rank_.task.run_folder();
  LTML_ASSIGN_OR_RETURN(log_,
                        RunLog::Open<v1::StepMetrics>(folder / run::kMetricsFile, state_.step()));
  LTML_ASSIGN_OR_RETURN(validations_, RunLog::Open<v1::ValidationLine>(
                                          folder / run::kEvaluationsFile, state_.step()));
  if (job_.monitoring().tensorboard()) {
    tensorboard_ = TensorboardLog::Open(folder, rank_.task.attempt_epoch(), state_.step());
  }
  return absl::OkStatus();
}

StepLogs Training::LogsOfSteps() {
  return log_ ? StepLogs{.metrics = &*log_, .tensorboard = &tensorboard_} : StepLogs{};
}

absl::Status Training::OpenDatasets() {
  LTML_ASSIGN_OR_RETURN(train_set_, OpenData(job_.data().train()));
  LTML_ASSIGN_OR_RETURN(validation_set_, OpenLike(job_.data().validation(), *train_set_));
  LTML_ASSIGN_OR_RETURN(test_set_, OpenLike(job_.data().test(), *train_set_));
  if (!state_.data_fingerprint().empty() &&
      state_.data_fingerprint() != train_set_->fingerprint()) {
    return WithCause(
        absl::FailedPreconditionError(fmt::format(
            "the checkpoint was trained on a data set with fingerprint {}, but '{}' has {}: "
            "resume with the same data",
            state_.data_fingerprint(), job_.data().train(), train_set_->fingerprint())),
        v1::FAILURE_CAUSE_DATA);
  }
  return absl::OkStatus();
}

absl::Status Training::BuildNetwork(bool fresh) {
  LTML_ASSIGN_OR_RETURN(
      network_,
      model::Network::Create(NetworkOptionsOf(job_, train_set_->classes(), rank_.device.device),
                             job_.streams().seed()));
  if (!fresh) return absl::OkStatus();
  if (!job_.model().weights().empty()) {
    const auto weights = safetensors::File::Open(job_.model().weights());
    if (!weights.ok()) return WithCause(weights.status(), v1::FAILURE_CAUSE_CONFIGURATION);
    LTML_RETURN_IF_ERROR(
        WithCause(network_->LoadPretrained(*weights), v1::FAILURE_CAUSE_CONFIGURATION));
  }
  if (job_.model().head_bias() == v1::Model::HEAD_BIAS_PRIOR) {
    network_->SetHeadBiasToPrior(train_set_->class_counts(), train_set_->images());
  } else {
    network_->SetHeadBiasToZero();
  }
  return absl::OkStatus();
}

// Weights on GPUs are not in memory that ranks could share.
train::ShareMemory Training::MemorySharing() {
  if (!rank_.device.device.is_cpu()) return {};
  return [this](int64_t bytes) {
    auto memory = collective::ShareMemory(rank_.collective(), bytes,
                                          base::ToNanoseconds(job_.limits().start()));
    if (!memory.ok() && rank_.is_first()) {
      base::Log(base::LogLevel::kInfo, "gradients_by_all_reduce", "reason={}",
                base::LogValue(std::string(memory.status().message())));
    }
    return memory;
  };
}

absl::Status Training::BuildTrainer(const StartingPoint& start) {
  data::LoaderOptions loading =
      LoaderOptionsOf(job_, rank_.rank(), rank_.world_size(), state_.step());
  loading.memory = rank_.device.batch_memory;
  auto loader = data::MakeLoader(train_set_, loading);
  if (!loader.ok()) return WithCause(loader.status(), v1::FAILURE_CAUSE_DATA);
  batches_ = TraceImages(*std::move(loader));
  LTML_ASSIGN_OR_RETURN(const train::TrainerOptions options, TrainerOptionsOf(job_, *train_set_));
  LTML_ASSIGN_OR_RETURN(trainer_,
                        train::Trainer::Create(options, {.network = *network_,
                                                         .collective = rank_.collective(),
                                                         .grants = *rank_.session,
                                                         .batches = *batches_,
                                                         .monitor = *monitor_,
                                                         .share_memory = MemorySharing(),
                                                         .graph = rank_.device.graph.get()}));
  return start.state ? Restore(start) : absl::OkStatus();
}

absl::Status Training::Restore(const StartingPoint& start) {
  LTML_RETURN_IF_ERROR(WithCause(
      checkpoint::LoadInto(start.folder, checkpoint::kModelFile, trainer_->ModelTensors()),
      v1::FAILURE_CAUSE_STORAGE));
  LTML_RETURN_IF_ERROR(WithCause(
      checkpoint::LoadInto(start.folder, checkpoint::kOptimizerFile, trainer_->OptimizerTensors()),
      v1::FAILURE_CAUSE_STORAGE));
  LTML_ASSIGN_OR_RETURN(const train::StatisticsSnapshot statistics,
                        FromProto(state_.statistics(), train_set_->classes()));
  LTML_RETURN_IF_ERROR(trainer_->Restore(statistics));
  checkpoint_step_ = state_.step();
  return absl::OkStatus();
}

bool Training::EvaluationIsDue() const {
  const int64_t step = trainer_->step();
  const int64_t every = job_.evaluation().every_steps();
  if (validation_set_ == nullptr || step == 0) return false;
  if (step != job_.schedule().steps() && (every <= 0 || step % every != 0)) return false;
  return state_.evaluations().empty() ||
         state_.evaluations(state_.evaluations_size() - 1).step() != step;
}

absl::Status Training::Evaluate() {
  LTML_ASSIGN_OR_RETURN(const Scores scores,
                        EvaluateOn(validation_set_, job_, train_set_->class_counts(), false,
                                   trainer_->step(), *network_, rank_, *monitor_));
  v1::EvaluationPoint& point = *state_.add_evaluations();
  point.set_step(trainer_->step());
  *point.mutable_mean_average_precision() = ToProto(scores.evaluation.mean);
  if (!rank_.is_first()) return absl::OkStatus();
  LTML_RETURN_IF_ERROR(
      WithCause(validations_->Append(ValidationOf(scores.evaluation, trainer_->step())),
                v1::FAILURE_CAUSE_STORAGE));
  tensorboard_.Validation(trainer_->step(), *train_set_, job_.monitoring(), scores);
  v1::Report report;
  FillEvaluation(scores.evaluation, train_set_->class_names(), train_set_->class_counts(), &report);
  report.set_images(validation_set_->images());
  report.set_evaluated_on("validation");
  report.set_evaluated_step(trainer_->step());
  rank_.session->EvaluationDone(report);
  base::Log(base::LogLevel::kInfo, "validated", "step={} images={} mean_average_precision={:.4f}",
            trainer_->step(), validation_set_->images(), point.mean_average_precision().total());
  return absl::OkStatus();
}

// All ranks stay until rank 0 has written it: one that went on would wait for rank 0 in the next
// step, or leave and have mpirun end rank 0.
absl::Status Training::WriteCheckpoint() {
  PhaseCounter phase(*monitor_, train::Phase::kCheckpoint, trainer_->step());
  const auto limit = base::ToNanoseconds(job_.limits().checkpoint());
  LTML_RETURN_IF_ERROR(trainer_->GatherOptimizerState(limit));
  LTML_ASSIGN_OR_RETURN(const train::StatisticsSnapshot statistics,
                        trainer_->SnapshotStatistics(limit));
  const absl::Status saved = rank_.is_first() ? SaveState(statistics, phase) : absl::OkStatus();
  std::array<int64_t, 1> failed = {saved.ok() ? 0 : 1};
  const absl::Status heard =
      rank_.collective().Broadcast(train::BufferOf(std::span<int64_t>(failed)), 0, limit);
  LTML_RETURN_IF_ERROR(saved);
  LTML_RETURN_IF_ERROR(heard);
  if (failed[0] != 0) {
    return absl::AbortedError("rank 0 could not write the checkpoint; its own message says why");
  }
  checkpoint_step_ = trainer_->step();
  return absl::OkStatus();
}

// Not the disk's fault when it fails, whatever the code says.
absl::Status Training::ConfirmCheckpoint() {
  return WithCause(rank_.session->ConfirmCheckpoint(
                       state_.step(), base::ToNanoseconds(job_.limits().checkpoint())),
                   v1::FAILURE_CAUSE_COORDINATOR_LOST);
}

absl::Status Training::SaveState(const train::StatisticsSnapshot& statistics, PhaseCounter& phase) {
  const auto model = trainer_->ModelTensors();
  state_.set_step(trainer_->step());
  *state_.mutable_job() = job_;
  state_.set_data_fingerprint(train_set_->fingerprint());
  state_.mutable_classes()->Assign(train_set_->class_names().begin(),
                                   train_set_->class_names().end());
  state_.mutable_train_counts()->Assign(train_set_->class_counts().begin(),
                                        train_set_->class_counts().end());
  state_.set_train_images(train_set_->images());
  *state_.mutable_statistics() = ToProto(statistics);
  state_.clear_model_digest();  // Write computes it
  state_.set_world_size(rank_.world_size());
  checkpoint::WriteHooks hooks;
  hooks.progress = [&phase] { phase.Advance(); };
  hooks.confirm = [this] { return ConfirmCheckpoint(); };
  const auto folder = checkpoint::Write(rank_.task.run_folder(), state_, model,
                                        trainer_->OptimizerTensors(), hooks);
  if (!folder.ok()) return WithCause(folder.status(), v1::FAILURE_CAUSE_STORAGE);
  rank_.session->CheckpointDone(state_.step(), folder->string());
  base::Log(base::LogLevel::kInfo, "checkpoint_written", "step={} folder={}", state_.step(),
            base::LogValue(folder->filename().string()));
  // The checkpoint stands; what could not be tidied away costs disk, not the run.
  const absl::Status tidied = checkpoint::Retain(rank_.task.run_folder(), job_.checkpoint().keep(),
                                                 checkpoint::BestStep(state_));
  if (!tidied.ok()) {
    base::Log(base::LogLevel::kWarning, "old_checkpoints_kept", "reason={}",
              base::LogValue(std::string(tidied.message())));
  }
  return absl::OkStatus();
}

// Whatever stands at the step that training has come to: an evaluation, a checkpoint.
absl::Status Training::ReachBoundary() {
  const bool evaluate = EvaluationIsDue();
  if (evaluate) LTML_RETURN_IF_ERROR(Evaluate());
  if (!evaluate && checkpoint_step_ == trainer_->step()) return absl::OkStatus();
  return WriteCheckpoint();
}

absl::StatusOr<train::Command> Training::NextBoundary() {
  const int64_t steps = job_.schedule().steps();
  const int64_t next =
      std::min(NextDue(trainer_->step(), job_.checkpoint().every_steps(), steps),
               validation_set_ == nullptr
                   ? steps
                   : NextDue(trainer_->step(), job_.evaluation().every_steps(), steps));
  const Clock::time_point before = Clock::now();
  absl::StatusOr<train::Command> command = trainer_->RunUntil(next);
  state_.set_train_seconds(state_.train_seconds() + SecondsSince(before));
  LTML_RETURN_IF_ERROR(WithCause(monitor_->log_status(), v1::FAILURE_CAUSE_STORAGE));
  return command;
}

absl::StatusOr<v1::Finished> Training::Run() {
  const int64_t steps = job_.schedule().steps();
  base::Log(base::LogLevel::kInfo, "run_started", "step={} of={} world_size={}", trainer_->step(),
            steps, rank_.world_size());
  absl::Status boundary = EvaluationIsDue() ? ReachBoundary() : absl::OkStatus();
  while (boundary.ok() && trainer_->step() < steps) {
    LTML_ASSIGN_OR_RETURN(const train::Command command, NextBoundary());
    if (command != train::Command::kNone) LTML_RETURN_IF_ERROR(WriteCheckpoint());
    if (command == train::Command::kStop) return Finished(true);
    boundary = ReachBoundary();
  }
  if (boundary.ok()) boundary = Report();
  if (!absl::IsCancelled(boundary)) LTML_RETURN_IF_ERROR(boundary);
  // Stopped during an evaluation: a resumed run evaluates this step again.
  if (!boundary.ok() && checkpoint_step_ != trainer_->step()) {
    LTML_RETURN_IF_ERROR(WriteCheckpoint());
  }
  return Finished(!boundary.ok());
}

v1::Finished Training::Finished(bool stopped) const {
  v1::Finished finished;
  finished.set_stopped(stopped);
  finished.set_step(trainer_->step());
  if (stopped) {
    base::Log(base::LogLevel::kInfo, "run_stopped", "step={}", trainer_->step());
  } else {
    v1::WindowReport& last = *finished.mutable_last_window();
    last.set_window((job_.schedule().steps() - 1) / job_.loss().statistics_window());
    *last.mutable_sums() = statistics::ToProto(trainer_->open_window());
  }
  return finished;
}

absl::Status Training::LoadWeightsOf(int64_t step) {
  const auto folder =
      checkpoint::CheckpointsOf(rank_.task.run_folder()) / checkpoint::StepName(step);
  LTML_RETURN_IF_ERROR(WithCause(checkpoint::Verify(folder).status(), v1::FAILURE_CAUSE_STORAGE));
  return WithCause(checkpoint::LoadInto(folder, checkpoint::kModelFile, trainer_->ModelTensors()),
                   v1::FAILURE_CAUSE_STORAGE);
}

// Evaluates the test set on the checkpoint that the job names, without one the validation set.
absl::Status Training::EvaluateFinal(v1::Report* report) {
  const DatasetPointer& data = test_set_ != nullptr ? test_set_ : validation_set_;
  if (data == nullptr) return absl::OkStatus();
  const int64_t best = checkpoint::BestStep(state_);
  const bool use_best = best >= 0 && job_.evaluation().final() == v1::Evaluation::FINAL_BEST;
  const int64_t step = use_best ? best : trainer_->step();
  if (step != trainer_->step()) LTML_RETURN_IF_ERROR(LoadWeightsOf(step));
  LTML_ASSIGN_OR_RETURN(const Scores scores, EvaluateOn(data, job_, train_set_->class_counts(),
                                                        false, step, *network_, rank_, *monitor_));
  FillEvaluation(scores.evaluation, train_set_->class_names(), train_set_->class_counts(), report);
  report->set_images(data->images());
  report->set_evaluated_on(test_set_ != nullptr ? "test" : "validation");
  report->set_evaluated_step(step);
  report->set_evaluated_checkpoint(use_best ? "best" : "last");
  return absl::OkStatus();
}

absl::Status Training::Report() {
  v1::Report report;
  report.set_model_digest(checkpoint::ModelDigest(trainer_->ModelTensors()));
  LTML_RETURN_IF_ERROR(EvaluateFinal(&report));
  if (!rank_.is_first()) return absl::OkStatus();
  const int streams = job_.model().branches() == v1::Model::BRANCHES_BOTH ? 2 : 1;
  const double images =
      static_cast<double>(streams * job_.schedule().steps() * job_.streams().global_batch());
  report.set_job(job_.name());
  report.set_steps(trainer_->step());
  report.set_world_size(rank_.world_size());
  report.set_seconds(state_.train_seconds());
  report.set_images_per_second(images / std::max(state_.train_seconds(), 1e-9));
  report.set_settings_digest(config::SettingsDigest(job_));
  report.set_data_fingerprint(train_set_->fingerprint());
  report.set_run_folder(rank_.task.run_folder());
  *report.mutable_evaluations() = state_.evaluations();
  LTML_RETURN_IF_ERROR(
      WithCause(base::WriteJsonFile(
                    std::filesystem::path(rank_.task.run_folder()) / run::kReportFile, report),
                v1::FAILURE_CAUSE_STORAGE));
  rank_.session->EvaluationDone(report);
  base::Log(base::LogLevel::kInfo, "run_finished", "steps={} seconds={:.1f}", trainer_->step(),
            SecondsSince(start_));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Finished> Train(Rank& rank, const StartingPoint& start) {
  LTML_ASSIGN_OR_RETURN(const std::unique_ptr<Training> training, Training::Create(rank, start));
  return training->Run();
}

}  // namespace ltml::worker
