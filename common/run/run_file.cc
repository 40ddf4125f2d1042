#include "common/run/run_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "common/base/proto_json.h"
#include "common/base/status_macros.h"

namespace ltml::run {
namespace {

constexpr int64_t kMessageLimitBytes = 256 << 20;
constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

absl::Status Fault(const std::filesystem::path& file, int error) {
  const std::string message = fmt::format("{}: {}", file.string(), std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == ELOOP || error == ENOTDIR) {
    return absl::FailedPreconditionError(message + "; links in run folders are not followed");
  }
  return absl::InternalError(message);
}

}  // namespace

absl::StatusOr<RunFile> RunFile::Open(const std::filesystem::path& run_folder,
                                      const std::filesystem::path& relative) {
  base::Descriptor at(::open(run_folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (!at.open()) return Fault(run_folder, errno);
  for (auto part = relative.begin(); part != relative.end(); ++part) {
    const int folder = std::next(part) == relative.end() ? 0 : O_DIRECTORY;
    base::Descriptor next(::openat(at.number(), part->c_str(), kFlags | folder));
    if (!next.open()) return Fault(run_folder / relative, errno);
    at = std::move(next);
  }
  struct stat status {};
  if (::fstat(at.number(), &status) != 0) return Fault(run_folder / relative, errno);
  if (S_ISREG(status.st_mode)) return RunFile(std::move(at), status.st_ino);
  return absl::FailedPreconditionError(
      fmt::format("{} is not a regular file", (run_folder / relative).string()));
}

absl::StatusOr<int64_t> RunFile::Size() const {
  struct stat status {};
  if (::fstat(descriptor_.number(), &status) != 0) return Fault("a run folder's file", errno);
  return status.st_size;
}

absl::StatusOr<std::string> RunFile::Read(int64_t offset, int64_t bytes) const {
  std::string text(bytes, '\0');
  int64_t filled = 0;
  while (filled < bytes) {
    const ssize_t got =
        ::pread(descriptor_.number(), text.data() + filled, bytes - filled, offset + filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fault("a run folder's file", errno);
    if (got == 0) break;
    filled += got;
  }
  text.resize(filled);
  return text;
}

absl::StatusOr<bool> ReadMessage(const std::filesystem::path& run_folder,
                                 const std::filesystem::path& relative,
                                 google::protobuf::Message* message) {
  const auto file = RunFile::Open(run_folder, relative);
  if (absl::IsNotFound(file.status())) return false;
  LTML_RETURN_IF_ERROR(file.status());
  LTML_ASSIGN_OR_RETURN(const int64_t size, file->Size());
  if (size > kMessageLimitBytes) {
    return absl::InvalidArgumentError(fmt::format("{}: got {} bytes, expected at most {}",
                                                  (run_folder / relative).string(), size,
                                                  kMessageLimitBytes));
  }
  LTML_ASSIGN_OR_RETURN(const std::string text, file->Read(0, size));
  LTML_RETURN_IF_ERROR(base::FromJson(text, (run_folder / relative).string(), message));
  return true;
}

}  // namespace ltml::run
