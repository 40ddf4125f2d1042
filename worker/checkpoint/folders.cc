#include "worker/checkpoint/folders.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <system_error>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace ltml::checkpoint {
namespace {

constexpr std::string_view kStepPrefix = "step-";
constexpr std::string_view kTemporaryPrefix = ".partial-";

absl::Status Failed(std::string_view what, const std::filesystem::path& path, int error) {
  return absl::InternalError(
      fmt::format("{} '{}': {}", what, path.string(), std::generic_category().message(error)));
}

absl::Status RemoveAll(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  return error ? Failed("cannot remove", folder, error.value()) : absl::OkStatus();
}

absl::StatusOr<std::filesystem::path> TemporaryFolder(const std::filesystem::path& checkpoints) {
  std::string name = (checkpoints / fmt::format("{}XXXXXX", kTemporaryPrefix)).string();
  if (::mkdtemp(name.data()) == nullptr) return Failed("cannot create", name, errno);
  return name;
}

absl::Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return Failed("cannot rename to", to, errno);
}

bool CannotExchange(int error) { return error == EINVAL || error == ENOSYS || error == ENOTSUP; }

// Swaps two folders.  Without the file system's help there is a moment in which `to` is absent.
absl::Status Exchange(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    return absl::OkStatus();
  }
  if (!CannotExchange(errno)) return Failed("cannot replace", to, errno);
  LTML_ASSIGN_OR_RETURN(const std::filesystem::path aside, TemporaryFolder(to.parent_path()));
  LTML_RETURN_IF_ERROR(Rename(to, aside));
  LTML_RETURN_IF_ERROR(Rename(from, to));
  return Rename(aside, from);
}

}  // namespace

std::filesystem::path CheckpointsOf(const std::filesystem::path& run_folder) {
  return run_folder / "checkpoints";
}

std::string StepName(int64_t step) { return fmt::format("{}{:09}", kStepPrefix, step); }

std::optional<int64_t> StepOf(std::string_view folder_name) {
  if (!folder_name.starts_with(kStepPrefix)) return std::nullopt;
  const std::string_view digits = folder_name.substr(kStepPrefix.size());
  int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (!whole || step < 0 || StepName(step) != folder_name) return std::nullopt;
  return step;
}

bool IsTemporary(std::string_view folder_name) { return folder_name.starts_with(kTemporaryPrefix); }

absl::StatusOr<Listing> List(const std::filesystem::path& checkpoints) {
  Listing listing;
  std::error_code error;
  std::filesystem::directory_iterator entry(checkpoints, error);
  if (error == std::errc::no_such_file_or_directory) return listing;
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (const auto step = StepOf(name)) listing.steps.push_back(*step);
    if (IsTemporary(name)) listing.temporary.push_back(entry->path());
  }
  if (error) return Failed("cannot list", checkpoints, error.value());
  std::ranges::sort(listing.steps, std::greater());
  return listing;
}

absl::StatusOr<StagingFolder> StagingFolder::Create(const std::filesystem::path& checkpoints) {
  std::error_code error;
  std::filesystem::create_directories(checkpoints, error);
  if (error) return Failed("cannot create", checkpoints, error.value());
  LTML_ASSIGN_OR_RETURN(std::filesystem::path path, TemporaryFolder(checkpoints));
  StagingFolder staging(std::move(path));
  std::filesystem::permissions(staging.path_, std::filesystem::perms(0755), error);
  if (error) return Failed("cannot open up", staging.path_, error.value());
  return staging;
}

StagingFolder::StagingFolder(StagingFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

StagingFolder::~StagingFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::Status StagingFolder::Install(const std::filesystem::path& target) {
  LTML_RETURN_IF_ERROR(base::SyncPath(path_));
  std::error_code error;
  const bool replace = std::filesystem::exists(target, error);
  LTML_RETURN_IF_ERROR(replace ? Exchange(path_, target) : Rename(path_, target));
  LTML_RETURN_IF_ERROR(base::SyncPath(target.parent_path()));
  // After an exchange this is the former checkpoint, and its removal may fail without harm.
  if (replace) std::filesystem::remove_all(path_, error);
  path_.clear();
  return absl::OkStatus();
}

absl::Status Remove(const std::filesystem::path& folder) {
  if (IsTemporary(folder.filename().string())) return RemoveAll(folder);
  LTML_ASSIGN_OR_RETURN(const std::filesystem::path aside, TemporaryFolder(folder.parent_path()));
  LTML_RETURN_IF_ERROR(Rename(folder, aside));
  return RemoveAll(aside);
}

}  // namespace ltml::checkpoint
