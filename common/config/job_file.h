#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ltml/v1/job.pb.h"

namespace ltml::config {

// Reads a TOML job file into a JobSpec with every default filled in, `overrides` ("path.to.key=value",
// the value as in TOML, bare strings allowed) applied on top, paths made absolute and all rules
// checked.  InvalidArgument lists every fault at once, a line each:
//   job.toml:7: model.width: got "wide", expected an integer; did you mean ...
absl::StatusOr<v1::JobSpec> ReadJobFile(const std::filesystem::path& file,
                                        const std::vector<std::string>& overrides);

// The rules that span fields: window x batch, ranks against batch, a normalised map of one value,
// milestones in order.  Part of ReadJobFile; also for specs that come from elsewhere.
std::vector<std::string> ValidateJob(const v1::JobSpec& job);

// Every field that differs, as "schedule.steps: 100 != 200".
std::vector<std::string> Differences(const v1::JobSpec& a, const v1::JobSpec& b);

// JSON Schema (2020-12) of the job file, from the .proto files' comments and rules.
std::string JobSchema();

// docs/job-file.md: one section a table, one row a key.
std::string JobReference();

// sha256 of the effective job without what does not change results (resources, limits, ...).
std::string SettingsDigest(const v1::JobSpec& job);

}  // namespace ltml::config
