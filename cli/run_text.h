#pragma once

#include <string>

#include "ltml/v1/job_service.pb.h"

namespace ltml::cli {

// A run as `ltml report` prints it: where it stands, its report (while there is none the newest
// validation), classes with bars from the weakest on, where the time of ranks goes, attempts that
// failed.
std::string RunText(const v1::RunView& view, bool colour);

}  // namespace ltml::cli
