#pragma once

#include "absl/status/statusor.h"
#include "ltml/v1/worker_service.pb.h"
#include "worker/app/rank.h"
#include "worker/app/resume.h"

namespace ltml::worker {

// Trains the job of `rank.task` to its end or to a stop command: weights, steps, evaluations,
// checkpoints, report.json.  What to tell the coordinator at the end.
absl::StatusOr<v1::Finished> Train(Rank& rank, const StartingPoint& start);

}  // namespace ltml::worker
