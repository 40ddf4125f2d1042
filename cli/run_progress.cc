#include "cli/run_progress.h"

#include <fmt/format.h>

#include "cli/report_text.h"

namespace ltml::cli {

using Clock = std::chrono::steady_clock;

std::string TrainingText(int64_t step, int64_t steps, const v1::StepMetrics& metrics,
                         double seconds_left) {
  std::string text =
      fmt::format("step {} / {} ({} %)", step, steps, steps > 0 ? 100 * step / steps : 100);
  if (metrics.images_per_second() > 0) {
    text +=
        fmt::format(", {:.0f} images/s, loss {:.4f}", metrics.images_per_second(), metrics.loss());
  }
  if (seconds_left >= 0) text += fmt::format(", {} left", TimeText(seconds_left));
  return text;
}

RunProgress::RunProgress(const Context& context, int64_t steps, int ranks)
    : steps_(steps), ranks_(ranks), line_(context, "run", "steps") {
  line_.Show(fmt::format("starting {} {}", ranks, ranks == 1 ? "rank" : "ranks"));
}

coordinator::RunEvents RunProgress::Events() {
  coordinator::RunEvents events;
  events.rank_connected = [this](int, const std::string&, int) {
    line_.Show(fmt::format("{} of {} ranks connected", ++connected_, ranks_));
  };
  events.step = [this](const v1::StepMetrics& metrics) { metrics_ = metrics; };
  events.progress = [this](const v1::Progress& progress) { OnProgress(progress); };
  events.checkpoint = [this](int64_t step, const std::string& folder) {
    line_.Note(fmt::format("checkpoint of step {}: {}", step, folder));
  };
  events.evaluation = [this](const v1::Report& report) {
    if (!report.mean_average_precision().has_total()) return;
    line_.Note(fmt::format("{} at step {}: mAP % {}", report.evaluated_on(),
                           report.evaluated_step(), MeansText(report.mean_average_precision())));
  };
  return events;
}

// The pace since the first step that was seen, so that start-up and a resume do not count.
std::string RunProgress::StepText() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - first_time_).count();
  const int64_t done = step_ - first_step_;
  const double left =
      done > 0 ? seconds / static_cast<double>(done) * static_cast<double>(steps_ - step_) : -1;
  return TrainingText(step_, steps_, metrics_, left);
}

void RunProgress::OnProgress(const v1::Progress& progress) {
  step_ = progress.step();
  if (first_step_ < 0 && progress.phase() == v1::PHASE_STEP) {
    first_step_ = step_;
    first_time_ = Clock::now();
  }
  switch (progress.phase()) {
    case v1::PHASE_STEP:
      return line_.Show(StepText());
    case v1::PHASE_WEIGHTS:
      return line_.Show("giving all ranks the same weights");
    case v1::PHASE_EVALUATION:
      return line_.Show(fmt::format("evaluating, batch {}", progress.counter()));
    case v1::PHASE_CHECKPOINT:
      return line_.Show(fmt::format("writing the checkpoint of step {}", step_));
    default:
      return line_.Show("starting");
  }
}

}  // namespace ltml::cli
