#pragma once

#include <cstdint>

#include "ltml/v1/worker_service.pb.h"

namespace ltml::jobs {

// What an attempt came to.
struct RunOutcome {
  // kNotStarted: nobody's fault, nothing of the job has run; its server ended at that moment, or
  // the attempt was stopped first.
  enum class Kind { kSucceeded, kStopped, kFailed, kNotStarted };
  Kind kind = Kind::kFailed;
  // kFailed: cause, rank, host, step, message; kStopped at once and kNotStarted: a message.
  v1::Failure failure;
  int64_t step = 0;  // completed
};

}  // namespace ltml::jobs
