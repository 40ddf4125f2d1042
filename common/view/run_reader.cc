#include "common/view/run_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/base/visible.h"
#include "common/metrics/average_precision.h"
#include "common/run/folder.h"
#include "common/run/run_file.h"
#include "common/view/checkpoint_statistics.h"
#include "ltml/v1/checkpoint.pb.h"
#include "ltml/v1/dataset.pb.h"

namespace ltml::view {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTailBytes = 6 << 10;

std::optional<google::protobuf::Timestamp> WriteTime(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return std::nullopt;
  return base::ToTimestamp(std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec));
}

std::string Tail(const fs::path& folder, const fs::path& relative) {
  const auto file = run::RunFile::Open(folder, relative);
  if (!file.ok()) return "";
  const auto size = file->Size();
  if (!size.ok()) return "";
  const int64_t begin = std::max<int64_t>(*size - kTailBytes, 0);
  std::string text = file->Read(begin, kTailBytes).value_or("");
  if (begin > 0) text.erase(0, text.find('\n') + 1);
  return text;
}

}  // namespace

RunReader::RunReader(fs::path run_folder)
    : folder_(std::move(run_folder)),
      metrics_(folder_, run::kMetricsFile),
      validations_file_(folder_, run::kEvaluationsFile) {}

absl::Status RunReader::ReadLines() {
  LTML_RETURN_IF_ERROR(metrics_.Read([this] { history_.Clear(); },
                                     [this](std::string_view line) {
                                       if (const auto step = parser_.Parse(line)) {
                                         history_.Add(*step);
                                       }
                                     }));
  const auto restart = [this] {
    evaluations_.clear();
    validations_.clear();
  };
  return validations_file_.Read(restart, [this](std::string_view line) {
    v1::ValidationLine validation;
    if (!base::FromJson(line, run::kEvaluationsFile, &validation).ok()) return;
    v1::EvaluationPoint& point = evaluations_.emplace_back();
    point.set_step(validation.step());
    *point.mutable_mean_average_precision() = validation.mean_average_precision();
    validations_.push_back(std::move(validation));
    if (validations_.size() > kValidations) validations_.pop_front();
  });
}

absl::Status RunReader::ReadClasses(v1::RunView& view) const {
  v1::DatasetInfo data;
  LTML_RETURN_IF_ERROR(run::ReadMessage(folder_, run::kDataFile, &data).status());
  view.set_train_images(data.images());
  for (const v1::ClassInfo& one : data.classes()) {
    v1::ClassView& row = *view.add_classes();
    row.set_name(one.name());
    row.set_train_positives(one.images());
    row.set_group(std::string(metrics::GroupName(metrics::GroupOf(one.images()))));
  }
  return absl::OkStatus();
}

void RunReader::FillValidations(v1::RunView& view) const {
  view.mutable_job()->mutable_evaluations()->Assign(evaluations_.begin(), evaluations_.end());
  for (const v1::ValidationLine& line : validations_) {
    if (line.average_precision_size() != view.classes_size()) continue;
    view.add_validation_steps(line.step());
    for (int k = 0; k < view.classes_size(); ++k) {
      view.mutable_classes(k)->add_average_precision(line.average_precision(k));
    }
  }
}

absl::Status RunReader::ReadCheckpoint(v1::RunView& view) {
  const std::vector<fs::path> checkpoints = run::Checkpoints(folder_);
  if (checkpoints.empty()) return absl::OkStatus();
  if (checkpoints.front() != checkpoint_) {
    const fs::path relative = fs::path("checkpoints") / checkpoints.front().filename();
    v1::CheckpointState state;
    LTML_ASSIGN_OR_RETURN(const bool there,
                          run::ReadMessage(folder_, relative / "state.json", &state));
    if (!there) return absl::OkStatus();
    LTML_ASSIGN_OR_RETURN(statistics_, StatisticsOf(state));
    checkpoint_step_ = state.step();
    checkpoint_time_ = WriteTime(checkpoints.front() / "manifest.json");
    checkpoint_ = checkpoints.front();
  }
  view.mutable_job()->set_checkpoint_step(checkpoint_step_);
  if (checkpoint_time_) *view.mutable_job()->mutable_checkpoint_time() = *checkpoint_time_;
  FillStatistics(statistics_, view);
  return absl::OkStatus();
}

absl::Status RunReader::ReadAttempts(v1::RunView& view) const {
  v1::Job& job = *view.mutable_job();
  std::vector<int64_t> epochs = run::Attempts(folder_);
  std::ranges::reverse(epochs);
  for (const int64_t epoch : epochs) {
    v1::AttemptSummary summary;
    const fs::path file = fs::path("attempts") / fmt::format("{}", epoch) / run::kAttemptFile;
    LTML_ASSIGN_OR_RETURN(const bool there, run::ReadMessage(folder_, file, &summary));
    if (!there) summary.mutable_attempt()->set_epoch(epoch);
    *job.add_attempts() = summary.attempt();
    if (there) *job.mutable_ranks() = summary.ranks();
    job.set_attempt_epoch(epoch);
  }
  return absl::OkStatus();
}

void RunReader::ReadLogTails(v1::RunView& view) const {
  const v1::Job& job = view.job();
  if (job.attempts().empty()) return;
  const v1::Attempt& newest = *job.attempts().rbegin();
  std::vector<int> ranks = {0};
  if (newest.failure().rank() > 0) ranks.push_back(newest.failure().rank());
  ranks.push_back(run::kMpirun);
  for (const int rank : ranks) {
    std::string text = Tail(folder_, run::LogFile(newest.epoch(), rank));
    if (text.empty()) continue;
    v1::LogTail& tail = *view.add_logs();
    tail.set_attempt_epoch(newest.epoch());
    tail.set_rank(rank);
    // Fields of messages are UTF-8; logs may hold anything.
    tail.set_text(base::VisibleLines(text));
  }
}

absl::StatusOr<v1::RunView> RunReader::Read() {
  v1::RunView view;
  v1::Job& job = *view.mutable_job();
  LTML_ASSIGN_OR_RETURN(const bool there,
                        run::ReadMessage(folder_, run::kJobFile, job.mutable_spec()));
  if (!there) {
    return absl::NotFoundError(
        fmt::format("'{}' is no run folder: it has no {}", folder_.string(), run::kJobFile));
  }
  *view.mutable_time() = base::ToTimestamp(std::chrono::system_clock::now());
  job.set_name(folder_.filename().string());
  job.set_run_folder(folder_.string());
  LTML_RETURN_IF_ERROR(ReadLines());
  LTML_RETURN_IF_ERROR(ReadClasses(view));
  FillValidations(view);
  LTML_RETURN_IF_ERROR(ReadCheckpoint(view));
  LTML_RETURN_IF_ERROR(ReadAttempts(view));
  ReadLogTails(view);
  for (const v1::StepMetrics& step : history_.steps()) *view.add_steps() = step;
  v1::Report report;
  LTML_ASSIGN_OR_RETURN(const bool finished, run::ReadMessage(folder_, run::kReportFile, &report));
  if (finished) *view.mutable_report() = report;
  const bool failed = !job.attempts().empty() && job.attempts().rbegin()->has_failure();
  if (finished || failed) {
    job.set_state(finished ? v1::JOB_STATE_SUCCEEDED : v1::JOB_STATE_FAILED);
  }
  const int64_t last = view.steps().empty() ? 0 : view.steps().rbegin()->step();
  job.set_step(std::max(last, job.checkpoint_step()));
  if (!view.steps().empty()) *job.mutable_metrics() = *view.steps().rbegin();
  return view;
}

void FillStatistics(const v1::ClassStatistics& statistics, v1::RunView& view) {
  const v1::Compensation& compensation = statistics.compensation();
  const auto fill = [&view](const auto& values, auto set) {
    if (values.size() != view.classes_size()) return;
    for (int k = 0; k < values.size(); ++k) (view.mutable_classes(k)->*set)(values[k]);
  };
  using Class = v1::ClassView;
  // A branch whose stream has shown nothing has a neutral compensation, which says nothing.
  if (!statistics.uniform_positives().empty()) {
    fill(statistics.uniform_positives(), &Class::set_uniform_positives);
    fill(compensation.uniform_positive().mu(), &Class::set_uniform_mu);
    fill(compensation.uniform_positive().sigma(), &Class::set_uniform_sigma);
  }
  if (!statistics.rebalanced_positives().empty()) {
    fill(statistics.rebalanced_positives(), &Class::set_rebalanced_positives);
    fill(compensation.rebalanced_positive().mu(), &Class::set_rebalanced_mu);
    fill(compensation.rebalanced_positive().sigma(), &Class::set_rebalanced_sigma);
  }
}

}  // namespace ltml::view
