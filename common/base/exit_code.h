#pragma once

#include "absl/status/status.h"

namespace ltml::base {

// The only table from status to exit code: 0 done; 1 the job failed or a check found something;
// 2 wrong usage or an invalid job file; 3 not found; 4 denied; 5 unreachable or timed out;
// 6 conflict; 130 interrupted.
int ExitCode(const absl::Status& status);

}  // namespace ltml::base
