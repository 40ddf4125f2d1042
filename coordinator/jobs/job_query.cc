#include "coordinator/jobs/job_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/base/sha256.h"

namespace ltml::jobs {
namespace {

constexpr int kDefaultPage = 50;
constexpr int kLargestPage = 1000;
constexpr size_t kKeyDigits = 16;
constexpr size_t kShownBytes = 80;

// What a token belongs to: all of the query but its page.
std::string QueryKey(v1::ListJobsRequest query) {
  query.clear_page_size();
  query.clear_page_token();
  if (!OldestFirst(query)) query.set_order(v1::ListJobsRequest::ORDER_NEWEST_FIRST);
  return base::Sha256().Update(query.SerializeAsString()).HexDigest().substr(0, kKeyDigits);
}

}  // namespace

int PageSize(const v1::ListJobsRequest& query) {
  return query.page_size() > 0 ? std::min(query.page_size(), kLargestPage) : kDefaultPage;
}

bool OldestFirst(const v1::ListJobsRequest& query) {
  return query.order() == v1::ListJobsRequest::ORDER_OLDEST_FIRST;
}

absl::StatusOr<std::optional<int64_t>> PlaceOf(const v1::ListJobsRequest& query) {
  const std::string& token = query.page_token();
  if (token.empty()) return std::nullopt;
  const std::string start = QueryKey(query) + ".";
  int64_t place = 0;
  if (token.starts_with(start)) {
    const char* end = token.data() + token.size();
    const auto [stop, error] = std::from_chars(token.data() + start.size(), end, place);
    if (error == std::errc() && stop == end) return place;
  }
  return absl::InvalidArgumentError(fmt::format(
      "page_token: got '{}', which no earlier answer to this filter and order held; start again "
      "without one",
      token.substr(0, kShownBytes)));
}

std::string TokenAt(const v1::ListJobsRequest& query, int64_t place) {
  return fmt::format("{}.{}", QueryKey(query), place);
}

v1::Job Summary(v1::Job job) {
  job.clear_attempts();
  job.clear_evaluations();
  job.clear_metrics();
  job.clear_wait_reason();
  return job;
}

}  // namespace ltml::jobs
