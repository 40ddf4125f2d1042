#include "worker/app/cause.h"

#include <string>

#include "absl/strings/cord.h"

namespace ltml::worker {
namespace {

constexpr char kPayload[] = "ltml.v1.FailureCause";

}  // namespace

absl::Status WithCause(absl::Status status, v1::FailureCause cause) {
  if (!status.ok() && !status.GetPayload(kPayload).has_value()) {
    status.SetPayload(kPayload, absl::Cord(v1::FailureCause_Name(cause)));
  }
  return status;
}

v1::FailureCause CauseOf(const absl::Status& status) {
  if (const auto payload = status.GetPayload(kPayload); payload.has_value()) {
    v1::FailureCause cause = v1::FAILURE_CAUSE_INTERNAL;
    v1::FailureCause_Parse(std::string(*payload), &cause);
    return cause;
  }
  switch (status.code()) {
    case absl::StatusCode::kOutOfRange:
      return v1::FAILURE_CAUSE_NON_FINITE;
    case absl::StatusCode::kResourceExhausted:
      return v1::FAILURE_CAUSE_OUT_OF_MEMORY;
    case absl::StatusCode::kInvalidArgument:
      return v1::FAILURE_CAUSE_DATA;
    case absl::StatusCode::kAborted:
      return v1::FAILURE_CAUSE_COORDINATOR_LOST;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnavailable:
      return v1::FAILURE_CAUSE_COLLECTIVE;
    default:
      return v1::FAILURE_CAUSE_INTERNAL;
  }
}

}  // namespace ltml::worker
