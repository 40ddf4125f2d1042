#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/metrics/average_precision.h"
#include "ltml/v1/report.pb.h"

namespace ltml::worker {

// Message of a set of means, and one class row for each class, in the order of `names`.
v1::MeanAveragePrecision ToProto(const metrics::GroupMeans& means);
void FillEvaluation(const metrics::Evaluation& evaluation, const std::vector<std::string>& names,
                    const std::vector<int64_t>& train_counts, v1::Report* report);

// The line of evaluations.jsonl.
v1::ValidationLine ValidationOf(const metrics::Evaluation& evaluation, int64_t step);

// `image,<class>,...` and a row of probabilities with 9 significant digits for each image; names
// with commas, quotes or line ends are quoted (RFC 4180).  Atomic.
absl::Status WritePredictions(const std::string& file, const std::vector<std::string>& images,
                              const std::vector<std::string>& classes,
                              const std::vector<float>& scores_NK);

}  // namespace ltml::worker
