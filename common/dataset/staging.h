#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ltml::dataset {

// A hidden folder beside a destination that becomes the destination at once, or is removed with all
// its content.  Move-only.
class StagingFolder {
 public:
  // AlreadyExists when the destination is a file or a folder that is not empty.
  static absl::StatusOr<StagingFolder> Create(const std::filesystem::path& destination);
  StagingFolder(StagingFolder&& other) noexcept;
  StagingFolder& operator=(StagingFolder&& other) noexcept;
  ~StagingFolder();

  const std::filesystem::path& path() const { return path_; }

  // Syncs and renames.  AlreadyExists when somebody else filled the destination meanwhile.
  absl::Status Commit();

 private:
  StagingFolder() = default;

  std::filesystem::path path_;
  std::filesystem::path destination_;
};

}  // namespace ltml::dataset
