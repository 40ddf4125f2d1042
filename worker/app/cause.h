#pragma once

#include "absl/status/status.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::worker {

// Marks `status` as having `cause`; an OK status or one that is marked already stays as it is.
absl::Status WithCause(absl::Status status, v1::FailureCause cause);

// The marked cause, else what the code means inside a rank: InvalidArgument is an image that cannot
// be read, OutOfRange a non-finite loss, ResourceExhausted memory, Aborted a lost coordinator or
// another rank's failure, DeadlineExceeded and Unavailable a collective that did not come to its
// end.
v1::FailureCause CauseOf(const absl::Status& status);

}  // namespace ltml::worker
