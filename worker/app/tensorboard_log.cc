#include "worker/app/tensorboard_log.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/metrics/select_classes.h"
#include "common/metrics/threshold_counts.h"
#include "common/run/classes_told.h"
#include "common/tensorboard/run_summaries.h"

namespace ltml::worker {
namespace {

using Clock = std::chrono::system_clock;

constexpr int kThresholds = 101;

}  // namespace

TensorboardLog TensorboardLog::Open(const std::filesystem::path& run_folder, int64_t attempt_epoch,
                                    int64_t completed_steps) {
  TensorboardLog log;
  auto file = tensorboard::EventFile::Create(tensorboard::EventFileOf(run_folder, attempt_epoch),
                                             completed_steps, Clock::now());
  if (file.ok()) {
    log.file_ = *std::move(file);
  } else {
    log.GiveUp(file.status());
  }
  return log;
}

void TensorboardLog::Step(const v1::StepMetrics& step) {
  if (file_) Append(tensorboard::StepSummary(step), step.step());
}

void TensorboardLog::Validation(int64_t step, const dataset::Dataset& train_set,
                                const v1::Monitoring& monitoring, const Scores& scores) {
  if (!file_) return;
  const auto& train_counts = train_set.class_counts();
  const auto counts = metrics::CountAtThresholds(scores.scores_NK, scores.labels_NK,
                                                 train_set.classes(), kThresholds);
  const std::vector<int> curves = metrics::SelectClasses(
      train_counts, scores.evaluation.average_precision, run::ClassesTold(monitoring));
  Append(tensorboard::ValidationSummary({.evaluation = scores.evaluation,
                                         .class_names = train_set.class_names(),
                                         .train_counts = train_counts,
                                         .counts = counts,
                                         .curves = curves}),
         step);
}

void TensorboardLog::Append(const tensorboard::Summary& summary, int64_t step) {
  const absl::Status written = file_->Append(summary, step, Clock::now());
  if (!written.ok()) GiveUp(written);
}

void TensorboardLog::GiveUp(const absl::Status& reason) {
  file_.reset();
  base::Log(base::LogLevel::kWarning, "tensorboard_stopped", "reason={}",
            base::LogValue(std::string(reason.message())));
}

}  // namespace ltml::worker
