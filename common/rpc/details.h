#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace ltml::rpc {

// google.rpc error details travel as payloads of an absl::Status, under their type URLs, and become
// the details of a grpc::Status at the edge (status.h).  Each function returns `status` with one
// detail added; an OK status stays as it is.

inline constexpr std::string_view kErrorInfoType = "type.googleapis.com/google.rpc.ErrorInfo";
inline constexpr std::string_view kBadRequestType = "type.googleapis.com/google.rpc.BadRequest";

struct Violation {
  std::string field;  // "resources.ranks", or what of the state is violated
  std::string description;
};

// google.rpc.BadRequest
absl::Status WithFieldViolations(absl::Status status, const std::vector<Violation>& violations);
std::vector<Violation> FieldViolations(const absl::Status& status);
// Of a BadRequest as bytes: the same in at most `limit_bytes`, with its first violations and one
// more, of the field "...", that says how many are left out.  Empty when not even that fits.
// Bytes that are no BadRequest stay as they are.
std::string FewerViolations(const std::string& bad_request, size_t limit_bytes);

// google.rpc.PreconditionFailure; `type` as in "JOB_STATE"
absl::Status WithPreconditionFailure(absl::Status status, std::string_view type,
                                     std::string_view subject, std::string_view description);

// google.rpc.RetryInfo
absl::Status WithRetryAfter(absl::Status status, std::chrono::nanoseconds delay);
std::optional<std::chrono::nanoseconds> RetryAfter(const absl::Status& status);

// google.rpc.ErrorInfo in the domain "ltml"; `reason` in capitals: "RATE_LIMIT".  The edge adds one
// with the status code's name where there is none.
absl::Status WithErrorInfo(absl::Status status, std::string_view reason);
std::string ErrorReason(const absl::Status& status);

}  // namespace ltml::rpc
