#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "ltml/v1/job_service.pb.h"
#include "ltml/v1/pool_service.pb.h"

namespace ltml::coordinator {

// What a request must be before anyone acts on it.  InvalidArgument with a google.rpc.BadRequest
// that names every bad field, what was got, and what is expected.  Pure.

inline constexpr int64_t kSpecLimitBytes = 1 << 20;
inline constexpr int kLongestPage = 1000;

absl::Status Check(const v1::SubmitRequest& request);
absl::Status Check(const v1::ValidateRequest& request);
absl::Status Check(const v1::GetJobRequest& request);
absl::Status Check(const v1::ListJobsRequest& request);
absl::Status Check(const v1::WatchRequest& request);
absl::Status Check(const v1::LogsRequest& request);
absl::Status Check(const v1::CancelRequest& request);
absl::Status Check(const v1::PauseRequest& request);
absl::Status Check(const v1::ResumeRequest& request);
absl::Status Check(const v1::GetReportRequest& request);
absl::Status Check(const v1::GetViewRequest& request);
absl::Status Check(const v1::ListHostsRequest& request);
absl::Status Check(const v1::DrainRequest& request);
absl::Status Check(const v1::UndrainRequest& request);
absl::Status Check(const v1::CheckHostsRequest& request);

// The same error for a single field.
absl::Status BadField(std::string_view field, std::string_view description);

}  // namespace ltml::coordinator
