#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/status.h"
#include "ltml/v1/dataset.pb.h"
#include "ltml/v1/job.pb.h"

namespace ltml::run {

// RUN/job.json: the effective job; RUN/dataset.json: the training set's, to notice another one.
inline constexpr char kJobFile[] = "job.json";
inline constexpr char kDataFile[] = "dataset.json";

// Writes both, the job last: a folder with a job is complete.
absl::Status RecordRun(const std::filesystem::path& run_folder, const v1::JobSpec& job,
                       const v1::DatasetInfo& data);

// RUN/metrics.jsonl: a StepMetrics message a logged step; RUN/evaluations.jsonl: a ValidationLine a
// validation; RUN/report.json: the Report of a run that has finished.
inline constexpr char kMetricsFile[] = "metrics.jsonl";
inline constexpr char kEvaluationsFile[] = "evaluations.jsonl";
inline constexpr char kReportFile[] = "report.json";

// RUN/attempts/N, where an attempt's logs and records lie; in it, when the attempt has ended,
// attempt.json, an AttemptSummary message.
std::filesystem::path AttemptFolder(const std::filesystem::path& run_folder, int64_t epoch);
inline constexpr char kAttemptFile[] = "attempt.json";

// attempts/N/rank-R.log, below the run folder; of kMpirun mpirun.log.
inline constexpr int kMpirun = -1;
std::filesystem::path LogFile(int64_t epoch, int rank);

// Epochs of the attempts, newest first.
std::vector<int64_t> Attempts(const std::filesystem::path& run_folder);
// The folder of the newest attempt; empty without one.
std::filesystem::path NewestAttempt(const std::filesystem::path& run_folder);

// Folders checkpoints/step-S that are whole (they have a manifest), newest first.
std::vector<std::filesystem::path> Checkpoints(const std::filesystem::path& run_folder);

}  // namespace ltml::run
