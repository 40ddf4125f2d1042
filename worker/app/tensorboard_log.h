#pragma once

#include <filesystem>
#include <optional>

#include "common/dataset/dataset.h"
#include "common/tensorboard/event_file.h"
#include "ltml/v1/job.pb.h"
#include "ltml/v1/report.pb.h"
#include "worker/app/evaluation.h"

namespace ltml::worker {

// The event file of an attempt, for TensorBoard.  It is a view of the run and never ends it: what
// cannot be written is one warning, after which nothing more is tried.  Not thread-safe.
class TensorboardLog {
 public:
  // Writes nothing.
  TensorboardLog() = default;
  static TensorboardLog Open(const std::filesystem::path& run_folder, int64_t attempt_epoch,
                             int64_t completed_steps);

  void Step(const v1::StepMetrics& step);
  // A validation; `train_set` gives names and frequencies of its classes.
  void Validation(int64_t step, const dataset::Dataset& train_set, const v1::Monitoring& monitoring,
                  const Scores& scores);

 private:
  void Append(const tensorboard::Summary& summary, int64_t step);
  void GiveUp(const absl::Status& reason);

  std::optional<tensorboard::EventFile> file_;
};

}  // namespace ltml::worker
