#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ltml/v1/job.pb.h"

namespace ltml::config {

// Reads a TOML job file into a JobSpec with every default filled in, `overrides`
// ("path.to.key=value", the value as in TOML, bare strings allowed) applied on top, paths made
// absolute and all rules checked.  InvalidArgument lists every fault at once, a line each:
//   job.toml:7: model.widht: got an unknown key, expected architecture, ...; did you mean 'width'?
absl::StatusOr<v1::JobSpec> ReadJobFile(const std::filesystem::path& file,
                                        const std::vector<std::string>& overrides);

// The rules that span fields: window x batch, ranks against batch, a normalised map of one value,
// milestones in order.  Part of ReadJobFile; also for specs that come from elsewhere.
std::vector<std::string> ValidateJob(const v1::JobSpec& job);

// schedule.warmup_steps of a job file without that key: 500, but no more than a tenth of the run.
int64_t DefaultWarmupSteps(int64_t steps);

// Every field that differs, as "schedule.steps: 100 != 200".
std::vector<std::string> Differences(const v1::JobSpec& a, const v1::JobSpec& b);

// JSON Schema (2020-12) of the job file, from the .proto files' comments and rules.
std::string JobSchema();

// docs/job-file.md: one section a table, one row a key.
std::string JobReference();

// sha256 of the effective job without name, resources, limits, checkpoint, the folders of the data
// (their fingerprint stands beside it in reports), data.loader_threads and data.max_bad_samples.
std::string SettingsDigest(const v1::JobSpec& job);

}  // namespace ltml::config
