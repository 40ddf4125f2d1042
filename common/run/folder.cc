#include "common/run/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>

#include "common/base/proto_json.h"
#include "common/base/status_macros.h"

namespace ltml::run {
namespace {

namespace fs = std::filesystem;

// Entries PREFIX<number> of a folder with their numbers, the largest first.
std::vector<std::pair<int64_t, fs::path>> Numbered(const fs::path& parent,
                                                   std::string_view prefix) {
  std::vector<std::pair<int64_t, fs::path>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || name.size() == prefix.size()) continue;
    int64_t number = 0;
    const auto [end, fault] =
        std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
    if (fault == std::errc() && end == name.data() + name.size()) {
      found.emplace_back(number, entry.path());
    }
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  return found;
}

}  // namespace

absl::Status RecordRun(const std::filesystem::path& run_folder, const v1::JobSpec& job,
                       const v1::DatasetInfo& data) {
  LTML_RETURN_IF_ERROR(base::WriteJsonFile(run_folder / kDataFile, data));
  return base::WriteJsonFile(run_folder / kJobFile, job);
}

std::filesystem::path AttemptFolder(const std::filesystem::path& run_folder, int64_t epoch) {
  return run_folder / "attempts" / fmt::format("{}", epoch);
}

fs::path LogFile(int64_t epoch, int rank) {
  return AttemptFolder("", epoch) /
         (rank == kMpirun ? "mpirun.log" : fmt::format("rank-{}.log", rank));
}

std::vector<int64_t> Attempts(const fs::path& run_folder) {
  std::vector<int64_t> epochs;
  for (const auto& [epoch, folder] : Numbered(run_folder / "attempts", "")) {
    epochs.push_back(epoch);
  }
  return epochs;
}

fs::path NewestAttempt(const fs::path& run_folder) {
  const std::vector<int64_t> epochs = Attempts(run_folder);
  return epochs.empty() ? fs::path() : AttemptFolder(run_folder, epochs.front());
}

std::vector<fs::path> Checkpoints(const fs::path& run_folder) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (const auto& [step, folder] : Numbered(run_folder / "checkpoints", "step-")) {
    if (fs::exists(folder / "manifest.json", error)) folders.push_back(folder);
  }
  return folders;
}

}  // namespace ltml::run
