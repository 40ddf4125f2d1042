#include "coordinator/service/submit_checks.h"

#include <fmt/format.h>

#include <string>

#include "common/config/job_file.h"

namespace ltml::service {
namespace {

// "resources.ranks: got ..." -> its field and its sentence.
v1::FieldViolation FromFault(const std::string& fault) {
  v1::FieldViolation result;
  const size_t colon = fault.find(": ");
  if (colon != std::string::npos && fault.find(' ') > colon) {
    result.set_field(fault.substr(0, colon));
    result.set_description(fault.substr(colon + 2));
  } else {
    result.set_description(fault);
  }
  return result;
}

}  // namespace

SubmitFacts CheckSubmit(const v1::JobSpec& spec, const std::vector<jobs::HostSlots>& hosts,
                        const Inspect& inspect) {
  SubmitFacts facts;
  for (const auto& fault : config::ValidateJob(spec)) {
    facts.violations.push_back(FromFault(fault));
  }
  const auto capacity = jobs::CheckCapacity(jobs::DemandOf(spec.resources()), hosts);
  if (!capacity.ok()) {
    auto& violation = facts.violations.emplace_back();
    violation.set_field("resources.ranks");
    violation.set_description(std::string(capacity.message()));
  }
  const auto data = inspect(spec, &facts.violations);
  if (data.ok()) {
    facts.classes = data->classes;
  } else if (facts.violations.empty()) {
    auto& violation = facts.violations.emplace_back();
    violation.set_field("data.train");
    violation.set_description(std::string(data.status().message()));
  }
  return facts;
}

absl::Status Refusal(const std::vector<v1::FieldViolation>& violations) {
  std::vector<rpc::Violation> details;
  std::vector<std::string> lines;
  for (const auto& violation : violations) {
    details.push_back({violation.field(), violation.description()});
    lines.push_back(fmt::format("{}: {}", violation.field(), violation.description()));
  }
  return rpc::WithFieldViolations(absl::InvalidArgumentError(fmt::format(
                                      "the job cannot run here: {}", fmt::join(lines, "; "))),
                                  details);
}

absl::Status CompareSubmit(const v1::SubmitRecord& earlier, const v1::SubmitRequest& now) {
  const auto differences = config::Differences(earlier.request().spec(), now.spec());
  if (differences.empty()) return absl::OkStatus();
  return absl::AlreadyExistsError(
      fmt::format("request id '{}' belongs to {}, submitted with another body: {}; take a new id",
                  now.request_id(), earlier.job(), fmt::join(differences, ", ")));
}

}  // namespace ltml::service
