#include "common/run/folder.h"

#include <fmt/format.h>

#include "common/base/proto_json.h"
#include "common/base/status_macros.h"

namespace ltml::run {

absl::Status RecordRun(const std::filesystem::path& run_folder, const v1::JobSpec& job,
                       const v1::DatasetInfo& data) {
  LTML_RETURN_IF_ERROR(base::WriteJsonFile(run_folder / kDataFile, data));
  return base::WriteJsonFile(run_folder / kJobFile, job);
}

std::filesystem::path AttemptFolder(const std::filesystem::path& run_folder, int64_t epoch) {
  return run_folder / "attempts" / fmt::format("{}", epoch);
}

}  // namespace ltml::run
