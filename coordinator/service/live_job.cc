#include "coordinator/service/live_job.h"

namespace ltml::service {

Durations StepDurations() {
  return Durations({0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100});
}

}  // namespace ltml::service
