#pragma once

#include "absl/status/statusor.h"
#include "ltml/v1/worker_service.pb.h"
#include "worker/app/rank.h"

namespace ltml::worker {

// Evaluates the checkpoint of `rank.task` on its data set: report_file, predictions_file, and the
// report to the coordinator.
absl::StatusOr<v1::Finished> RunEvaluation(Rank& rank);

}  // namespace ltml::worker
