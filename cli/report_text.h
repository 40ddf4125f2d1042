#pragma once

#include <string>
#include <string_view>

#include "common/view/words.h"
#include "ltml/v1/report.pb.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::cli {

// The report as `ltml train` and `ltml eval` print it: mAP of total, head, medium and tail next to
// chance and the number of classes, the run's speed, the five weakest classes, the run folder.
// Percentages with two digits; "-" for what does not exist.
std::string ReportText(const v1::Report& report, bool colour);

// mAP of total, head, medium and tail, next to chance where it is known, and numbers of classes.
std::string MeansTable(const v1::Report& report, bool colour);

// "43.21 total, 60.01 head, 40.00 medium, - tail".
std::string MeansText(const v1::MeanAveragePrecision& means);

using view::FailureText;

}  // namespace ltml::cli
