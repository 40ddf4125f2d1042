#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/dataset.h"
#include "common/metrics/average_precision.h"
#include "ltml/v1/job.pb.h"
#include "worker/app/rank.h"
#include "worker/model/network.h"

namespace ltml::worker {

struct Scores {
  std::vector<float> scores_NK;
  std::vector<uint8_t> labels_NK;
  metrics::Evaluation evaluation;
};

// Scores every image of `data` and evaluates them; the same on all ranks, to the last bit, whatever
// their number.  `step` is that of the weights, for progress.  Cancelled when a stop was agreed on.
absl::StatusOr<Scores> EvaluateOn(const std::shared_ptr<const dataset::Dataset>& data,
                                  const v1::JobSpec& job, const std::vector<int64_t>& train_counts,
                                  bool flip, int64_t step, model::Network& network, Rank& rank,
                                  train::Monitor& monitor);

}  // namespace ltml::worker
