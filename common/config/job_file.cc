#include "common/config/job_file.h"

#include <algorithm>
#include <cctype>

#include "common/base/status_macros.h"
#include "common/config/faults.h"
#include "common/config/toml_reader.h"

namespace ltml::config {
namespace {

void ShortenDefaultWarmup(const std::vector<std::string>& given, v1::JobSpec* job) {
  if (std::find(given.begin(), given.end(), "schedule.warmup_steps") != given.end()) return;
  job->mutable_schedule()->set_warmup_steps(DefaultWarmupSteps(job->schedule().steps()));
}

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Whether a fault is that of the field or table `path`, or names it further on.  A path without a
// dot may be a word there, and counts as the fault's own only.
bool Mentions(const std::string& fault, const std::string& path) {
  if (path.empty()) return true;
  const bool word = path.find('.') == std::string::npos;
  for (size_t at = fault.find(path); at != std::string::npos; at = fault.find(path, at + 1)) {
    if (at > 0 && (IsNameCharacter(fault[at - 1]) || fault[at - 1] == '.')) continue;
    const std::string rest = fault.substr(at + path.size(), 2);
    if (rest.size() == 2 && rest[0] == '.' && IsNameCharacter(rest[1])) return true;
    if (!rest.empty() && IsNameCharacter(rest[0])) continue;
    if (at == 0 || !word) return true;
  }
  return false;
}

// Rules across fields.  A fault that mentions a field which is wrong by itself only follows from
// that.
void CheckAcrossFields(const v1::JobSpec& job, Faults* faults) {
  const std::vector<std::string> faulty = faults->Paths();
  for (const std::string& fault : ValidateJob(job)) {
    const auto mentioned = [&](const std::string& path) { return Mentions(fault, path); };
    if (std::any_of(faulty.begin(), faulty.end(), mentioned)) continue;
    const size_t split = fault.find(": ");
    faults->Add(fault.substr(0, split), fault.substr(split + 2));
  }
}

}  // namespace

// The published warm-up would swallow a short run.
int64_t DefaultWarmupSteps(int64_t steps) { return std::min<int64_t>(500, steps / 10); }

absl::StatusOr<v1::JobSpec> ReadJobFile(const std::filesystem::path& file,
                                        const std::vector<std::string>& overrides) {
  v1::JobSpec job;
  Faults faults(file.string());
  LTML_ASSIGN_OR_RETURN(const std::vector<std::string> given,
                        ReadToml(file, overrides, &job, &faults));
  ShortenDefaultWarmup(given, &job);
  CheckAcrossFields(job, &faults);
  LTML_RETURN_IF_ERROR(faults.ToStatus());
  return job;
}

}  // namespace ltml::config
