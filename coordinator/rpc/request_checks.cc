#include "coordinator/rpc/request_checks.h"

#include <fmt/format.h>

#include <vector>

#include "common/base/host_name.h"
#include "common/base/log.h"
#include "common/rpc/details.h"
#include "coordinator/jobs/names.h"

namespace ltml::coordinator {
namespace {

using Violations = std::vector<rpc::Violation>;

constexpr size_t kLongestText = 1024;
constexpr size_t kLongestPageToken = 4096;
constexpr size_t kLongestPosition = 4 << 20;
constexpr int kMostRanks = 65536;
constexpr int kMostHosts = 4096;
constexpr size_t kShown = 80;

// For messages: quoted, escaped, and not longer than a line.
std::string Shown(std::string_view text) {
  const std::string quoted = base::LogValue(text.substr(0, kShown));
  return text.size() > kShown ? fmt::format("{}... ({} bytes)", quoted, text.size()) : quoted;
}

absl::Status ToStatus(const Violations& violations) {
  if (violations.empty()) return absl::OkStatus();
  std::string message = "the request is not valid";
  for (const rpc::Violation& violation : violations) {
    message += fmt::format("; {}: {}", violation.field, violation.description);
  }
  return rpc::WithFieldViolations(absl::InvalidArgumentError(message), violations);
}

Violations NameViolations(const std::string& name) {
  if (jobs::IsJobName(name)) return {};
  return {{"name", fmt::format("got {}, expected jobs/ID with an ID as List tells it",
                               name.empty() ? "nothing" : Shown(name))}};
}

void CheckLength(std::string_view field, const std::string& value, size_t limit, Violations& into) {
  if (value.size() <= limit) return;
  into.push_back(
      {std::string(field), fmt::format("has {} bytes, expected at most {}", value.size(), limit)});
}

void CheckSpec(bool present, const v1::JobSpec& spec, Violations& into) {
  if (!present) {
    into.push_back({"spec", "is missing; expected the job"});
  } else if (const auto bytes = static_cast<int64_t>(spec.ByteSizeLong());
             bytes > kSpecLimitBytes) {
    into.push_back(
        {"spec", fmt::format("has {} bytes, expected at most {}", bytes, kSpecLimitBytes)});
  }
}

void CheckHost(std::string_view field, const std::string& host, Violations& into) {
  if (base::IsHostName(host)) return;
  into.push_back(
      {std::string(field), fmt::format("got {}, expected a host's name as ListHosts tells it",
                                       host.empty() ? "nothing" : Shown(host))});
}

}  // namespace

absl::Status BadField(std::string_view field, std::string_view description) {
  return ToStatus({{std::string(field), std::string(description)}});
}

absl::Status Check(const v1::SubmitRequest& request) {
  Violations found;
  CheckSpec(request.has_spec(), request.spec(), found);
  if (!request.request_id().empty() && !jobs::IsToken(request.request_id())) {
    found.push_back({"request_id", fmt::format("got {}, expected at most {} letters, digits, '-', "
                                               "'_', '.'",
                                               Shown(request.request_id()), jobs::kLongestToken)});
  }
  return ToStatus(found);
}

absl::Status Check(const v1::ValidateRequest& request) {
  Violations found;
  CheckSpec(request.has_spec(), request.spec(), found);
  return ToStatus(found);
}

absl::Status Check(const v1::ListJobsRequest& request) {
  Violations found;
  if (request.page_size() < 0 || request.page_size() > kLongestPage) {
    found.push_back(
        {"page_size", fmt::format("got {}, expected 0 to {}", request.page_size(), kLongestPage)});
  }
  CheckLength("page_token", request.page_token(), kLongestPageToken, found);
  CheckLength("owner", request.owner(), kLongestText, found);
  CheckLength("job_name", request.job_name(), kLongestText, found);
  for (const int state : request.states()) {
    if (v1::JobState_IsValid(state) && state != v1::JOB_STATE_UNSPECIFIED) continue;
    found.push_back({"states", fmt::format("got {}, expected states of a job", state)});
    break;
  }
  if (!v1::ListJobsRequest::Order_IsValid(request.order())) {
    found.push_back({"order", fmt::format("got {}, expected newest or oldest first",
                                          static_cast<int>(request.order()))});
  }
  return ToStatus(found);
}

absl::Status Check(const v1::WatchRequest& request) {
  Violations found = NameViolations(request.name());
  if (request.after() < 0) {
    found.push_back({"after", fmt::format("got {}, expected the sequence number of an event or 0",
                                          request.after())});
  }
  return ToStatus(found);
}

absl::Status Check(const v1::LogsRequest& request) {
  Violations found = NameViolations(request.name());
  if (request.attempt_epoch() < 0) {
    found.push_back({"attempt_epoch", fmt::format("got {}, expected an attempt's epoch or 0",
                                                  request.attempt_epoch())});
  }
  if (request.ranks_size() > kMostRanks) {
    found.push_back({"ranks", fmt::format("got {} ranks, expected at most {}", request.ranks_size(),
                                          kMostRanks)});
  }
  CheckLength("resume_after", request.resume_after(), kLongestPosition, found);
  return ToStatus(found);
}

absl::Status Check(const v1::GetJobRequest& request) {
  return ToStatus(NameViolations(request.name()));
}
absl::Status Check(const v1::CancelRequest& request) {
  return ToStatus(NameViolations(request.name()));
}
absl::Status Check(const v1::PauseRequest& request) {
  return ToStatus(NameViolations(request.name()));
}
absl::Status Check(const v1::ResumeRequest& request) {
  return ToStatus(NameViolations(request.name()));
}
absl::Status Check(const v1::GetReportRequest& request) {
  return ToStatus(NameViolations(request.name()));
}
absl::Status Check(const v1::GetViewRequest& request) {
  return ToStatus(NameViolations(request.name()));
}
absl::Status Check(const v1::ListHostsRequest&) { return absl::OkStatus(); }

absl::Status Check(const v1::DrainRequest& request) {
  Violations found;
  CheckHost("host", request.host(), found);
  CheckLength("reason", request.reason(), kLongestText, found);
  return ToStatus(found);
}

absl::Status Check(const v1::UndrainRequest& request) {
  Violations found;
  CheckHost("host", request.host(), found);
  return ToStatus(found);
}

absl::Status Check(const v1::CheckHostsRequest& request) {
  Violations found;
  if (request.hosts_size() > kMostHosts) {
    found.push_back({"hosts", fmt::format("got {} names, expected at most {}; none means all",
                                          request.hosts_size(), kMostHosts)});
  }
  for (const std::string& host : request.hosts()) CheckHost("hosts", host, found);
  return ToStatus(found);
}

}  // namespace ltml::coordinator
