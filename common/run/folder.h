#pragma once

#include <cstdint>
#include <filesystem>

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

// Of an attempt's folder: the RankStatuses message of an attempt that has ended.
inline constexpr char kRanksFile[] = "ranks.json";

// RUN/attempts/N, where an attempt's logs and records lie.
std::filesystem::path AttemptFolder(const std::filesystem::path& run_folder, int64_t epoch);

}  // namespace ltml::run
