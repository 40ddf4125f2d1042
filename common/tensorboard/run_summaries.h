#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/metrics/average_precision.h"
#include "common/metrics/threshold_counts.h"
#include "common/tensorboard/event.pb.h"
#include "ltml/v1/report.pb.h"

namespace ltml::tensorboard {

// loss/{total,uniform,rebalanced,consistency}, learning_rate, images_per_second,
// wait/{data_ratio,grant_seconds}.
Summary StepSummary(const v1::StepMetrics& step);

// One evaluated set and its classes.  All spans are [K] but `curves`.
struct ValidationFacts {
  const metrics::Evaluation& evaluation;
  std::span<const std::string> class_names;
  std::span<const int64_t> train_counts;
  std::span<const metrics::ThresholdCounts> counts;
  std::span<const int> curves;  // the classes that get a curve of their own
};
// mean_average_precision/{total,head,medium,tail}: scalars; class_average_precision/{...}: how the
// classes of a group are spread, as histograms; precision_recall/{...}: curves of the pooled
// predictions of a group; class_precision_recall/CLASS.  A group without a class that can be
// evaluated is left out, as is a class without positives.
Summary ValidationSummary(const ValidationFacts& facts);

}  // namespace ltml::tensorboard
