#pragma once

#include <string>
#include <string_view>

#include "ltml/v1/report.pb.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::cli {

// The report as `ltml train` and `ltml eval` print it: mAP of total, head, medium and tail next to
// chance and the number of classes, the run's speed, the five weakest classes, the run folder.
// Percentages with two digits; "-" for what does not exist.
std::string ReportText(const v1::Report& report, bool colour);

// "43.21 total, 60.01 head, 40.00 medium, - tail".
std::string MeansText(const v1::MeanAveragePrecision& means);

// "a rank was lost (rank 1 on node-a at step 12): message".
std::string FailureText(const v1::Failure& failure);

}  // namespace ltml::cli
