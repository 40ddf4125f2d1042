#pragma once

#include <cstdint>
#include <string>

#include "cli/context.h"
#include "cli/progress_line.h"
#include "coordinator/app/local_run.h"

namespace ltml::cli {

// Shows a run on stderr: what it does now in the progress line; checkpoints and evaluations as
// lines that stay.
class RunProgress {
 public:
  RunProgress(const Context& context, int64_t steps, int ranks);

  // Callbacks into this object, which must outlive the run.
  coordinator::RunEvents Events();

 private:
  void OnProgress(const v1::Progress& progress);
  std::string StepText() const;

  const int64_t steps_;
  const int ranks_;
  int connected_ = 0;
  int64_t step_ = 0;
  int64_t first_step_ = -1;
  std::chrono::steady_clock::time_point first_time_;
  v1::StepMetrics metrics_;
  ProgressLine line_;
};

// "step 120 / 480 (25 %), 310 images/s, loss 0.123, 45 s left"; seconds_left < 0: unknown.
std::string TrainingText(int64_t step, int64_t steps, const v1::StepMetrics& metrics,
                         double seconds_left);

}  // namespace ltml::cli
