#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/view/line_file.h"
#include "common/view/step_history.h"
#include "common/view/step_line.h"
#include "ltml/v1/job_service.pb.h"
#include "ltml/v1/statistics.pb.h"

namespace ltml::view {

// What a run folder tells of its run.  Follows no symbolic link below the folder.  Not thread-safe.
//
// Cost: the lines of metrics.jsonl that are new since the last call, and the small files; the whole
// of metrics.jsonl (about 1 us a line) the first time.
class RunReader {
 public:
  // Validations of which classes are told.
  static constexpr size_t kValidations = 24;

  explicit RunReader(std::filesystem::path run_folder);

  // NotFound for a folder without a job.  Files that are not there yet leave their part empty;
  // damaged ones are InvalidArgument.  Statistics of classes are those of the newest checkpoint.
  // Of the job: spec, run folder, name (that of the folder), step, checkpoint, evaluations,
  // attempts, the ranks of the newest one that has ended, and its state where that is certain.
  // Logs are those of the newest attempt: of rank 0, of a rank that failed, of mpirun.
  absl::StatusOr<v1::RunView> Read();

 private:
  absl::Status ReadLines();
  absl::Status ReadClasses(v1::RunView& view) const;
  absl::Status ReadCheckpoint(v1::RunView& view);
  absl::Status ReadAttempts(v1::RunView& view) const;
  void ReadLogTails(v1::RunView& view) const;
  void FillValidations(v1::RunView& view) const;

  const std::filesystem::path folder_;
  LineFile metrics_, validations_file_;
  StepLineParser parser_;
  StepHistory history_;
  std::vector<v1::EvaluationPoint> evaluations_;
  std::deque<v1::ValidationLine> validations_;  // the last kValidations
  // Of the newest checkpoint, which does not change once it is there.
  std::filesystem::path checkpoint_;
  v1::ClassStatistics statistics_;
  int64_t checkpoint_step_ = 0;
  std::optional<google::protobuf::Timestamp> checkpoint_time_;
};

// Puts what streams have delivered, and their compensation, into the classes of a view.
void FillStatistics(const v1::ClassStatistics& statistics, v1::RunView& view);

}  // namespace ltml::view
