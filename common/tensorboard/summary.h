#pragma once

#include <span>
#include <string>

#include "common/metrics/threshold_counts.h"
#include "common/tensorboard/event.pb.h"

// Values of a summary, as TensorBoard's tabs show them.
namespace ltml::tensorboard {

void AddScalar(const std::string& tag, double value, Summary& summary);

// Values from 0 to 1, in 20 buckets of equal width.  Nothing without values.
void AddShares(const std::string& tag, std::span<const double> values, Summary& summary);

// A precision-recall curve: a tensor [6, T] of true positives, false positives, true negatives,
// false negatives, precision and recall at T thresholds.  Where nothing is predicted precision is
// 0, without positives recall is.
void AddPrCurve(const std::string& tag, const metrics::ThresholdCounts& counts, Summary& summary);

}  // namespace ltml::tensorboard
