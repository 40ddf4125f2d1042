#include "common/dataset/staging.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace ltml::dataset {
namespace {

constexpr int kAttempts = 100;

absl::Status Taken(const std::filesystem::path& destination) {
  return absl::AlreadyExistsError(
      fmt::format("'{}' exists already and is not an empty folder; choose another destination, or "
                  "remove it first",
                  destination.string()));
}

// Without "." and "..", and without a slash at the end.
std::filesystem::path Normal(const std::filesystem::path& path) {
  const auto normal = std::filesystem::absolute(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

absl::Status CannotCreate(const std::filesystem::path& folder, const std::error_code& error) {
  return absl::InternalError(
      fmt::format("cannot create the folder '{}': {}", folder.string(), error.message()));
}

}  // namespace

absl::StatusOr<StagingFolder> StagingFolder::Create(const std::filesystem::path& destination) {
  StagingFolder staging;
  staging.destination_ = Normal(destination);
  const auto& target = staging.destination_;
  std::error_code error;
  const auto status = std::filesystem::symlink_status(target, error);
  const bool exists = std::filesystem::exists(status);
  if (exists && (!std::filesystem::is_directory(status) ||
                 !std::filesystem::is_empty(target, error) || error)) {
    return Taken(target);
  }
  std::filesystem::create_directories(target.parent_path(), error);
  if (error) return CannotCreate(target.parent_path(), error);
  for (int i = 0; i < kAttempts; ++i) {
    const auto path = target.parent_path() /
                      fmt::format(".{}.importing-{}-{}", target.filename().string(), ::getpid(), i);
    if (std::filesystem::create_directory(path, error)) {
      staging.path_ = path;
      return staging;
    }
    if (error) return CannotCreate(path, error);
  }
  return CannotCreate(target.parent_path(), std::make_error_code(std::errc::file_exists));
}

absl::Status StagingFolder::Commit() {
  LTML_RETURN_IF_ERROR(base::SyncPath(path_));
  if (std::rename(path_.c_str(), destination_.c_str()) != 0) {
    const int reason = errno;
    if (reason == EEXIST || reason == ENOTEMPTY) return Taken(destination_);
    return absl::InternalError(fmt::format("cannot rename '{}' to '{}': {}", path_.string(),
                                           destination_.string(),
                                           std::generic_category().message(reason)));
  }
  path_.clear();
  return base::SyncPath(destination_.parent_path());
}

StagingFolder::StagingFolder(StagingFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), destination_(std::move(other.destination_)) {}

StagingFolder& StagingFolder::operator=(StagingFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(destination_, other.destination_);
  return *this;
}

StagingFolder::~StagingFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace ltml::dataset
