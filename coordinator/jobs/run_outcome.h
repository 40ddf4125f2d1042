#pragma once

#include <cstdint>

#include "ltml/v1/worker_service.pb.h"

namespace ltml::jobs {

// What an attempt came to.
struct RunOutcome {
  enum class Kind { kSucceeded, kStopped, kFailed };
  Kind kind = Kind::kFailed;
  v1::Failure failure;  // kFailed: cause, rank, host, step, message; kStopped at once: a message
  int64_t step = 0;     // completed
};

}  // namespace ltml::jobs
