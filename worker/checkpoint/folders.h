#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ltml::checkpoint {

// Names and moves of the folders below RUN/checkpoints.

// RUN/checkpoints
std::filesystem::path CheckpointsOf(const std::filesystem::path& run_folder);
std::string StepName(int64_t step);  // step-000000500
std::optional<int64_t> StepOf(std::string_view folder_name);
// What an interrupted write or removal left behind.
bool IsTemporary(std::string_view folder_name);

struct Listing {
  std::vector<int64_t> steps;  // newest first
  std::vector<std::filesystem::path> temporary;
};
// Empty when there is no such folder.
absl::StatusOr<Listing> List(const std::filesystem::path& checkpoints);

// A folder under a temporary name beside the checkpoints; removed on destruction unless installed.
class StagingFolder {
 public:
  static absl::StatusOr<StagingFolder> Create(const std::filesystem::path& checkpoints);
  StagingFolder(StagingFolder&& other) noexcept;
  StagingFolder& operator=(StagingFolder&&) = delete;
  ~StagingFolder();
  const std::filesystem::path& path() const { return path_; }

  // Syncs the folder, gives it its final name, and syncs the parent.  A folder of that name is
  // exchanged for this one, then removed.
  absl::Status Install(const std::filesystem::path& target);

 private:
  explicit StagingFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// Removes a checkpoint so that a crash on the way leaves a temporary folder, not a damaged one.
absl::Status Remove(const std::filesystem::path& folder);

}  // namespace ltml::checkpoint
