#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "ltml/v1/job_service.pb.h"

namespace ltml::jobs {

// What all stores share of List.  A job's place is its number in the order of submission.

// Jobs on a page: 50 unless asked for, at most 1000.
int PageSize(const v1::ListJobsRequest& query);
bool OldestFirst(const v1::ListJobsRequest& query);

// The place of the last job that was shown, nullopt without a token.  InvalidArgument for a token
// that no answer to this filter and order held.
absl::StatusOr<std::optional<int64_t>> PlaceOf(const v1::ListJobsRequest& query);
// The token of the page after the job at `place`.
std::string TokenAt(const v1::ListJobsRequest& query, int64_t place);

// A job as lists show it: without what grows and what is live.
v1::Job Summary(v1::Job job);

}  // namespace ltml::jobs
