#include "common/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "common/base/status_macros.h"

namespace ltml::base {
namespace {

absl::Status FileError(std::string_view what, const std::filesystem::path& path, int error) {
  const std::string message =
      fmt::format("{} '{}': {}", what, path.string(), std::generic_category().message(error));
  return error == ENOENT ? absl::NotFoundError(message) : absl::InternalError(message);
}

absl::Status WriteAll(int descriptor, std::string_view content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("cannot write", path, errno);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteAndSync(const std::filesystem::path& path, std::string_view content) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.number() < 0) return FileError("cannot create", path, errno);
  LTML_RETURN_IF_ERROR(WriteAll(file.number(), content, path));
  if (::fsync(file.number()) != 0) return FileError("cannot sync", path, errno);
  return absl::OkStatus();
}

std::filesystem::path FolderOf(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

// What mkdtemp fills in.
constexpr std::string_view kUnique = "XXXXXX";
constexpr std::string_view kLock = ".lock";
// A lock that is younger may have an owner that is about to take it.
constexpr std::chrono::minutes kYoung{1};

std::string LockOf(const std::string& folder) { return fmt::format("{}{}", folder, kLock); }

// The lock of a folder of ours whose owner is dead, now held; else none.
Descriptor LockOfTheDead(const std::string& file) {
  Descriptor lock(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  const bool ours = lock.open() && ::fstat(lock.number(), &info) == 0 &&
                    info.st_uid == ::geteuid() && S_ISREG(info.st_mode);
  const auto age = std::chrono::system_clock::now() -
                   std::chrono::system_clock::from_time_t(info.st_mtim.tv_sec);
  if (!ours || age < kYoung || ::flock(lock.number(), LOCK_EX | LOCK_NB) != 0) lock.Close();
  return lock;
}

// `start` is what the names of folders of the same prefix have in common.
void RemoveFoldersOfTheDead(const std::string& start) {
  const std::filesystem::path common(start);
  const std::string name = common.filename();
  std::error_code error;
  std::filesystem::directory_iterator entries(common.parent_path(), error);
  for (; !error && entries != std::filesystem::end(entries); entries.increment(error)) {
    const std::string entry = entries->path().filename();
    const size_t folder_size = name.size() + kUnique.size();
    if (!entry.starts_with(name) || !entry.ends_with(kLock)) continue;
    if (entry.size() != folder_size + kLock.size()) continue;
    const std::filesystem::path folder = common.parent_path() / entry.substr(0, folder_size);
    const Descriptor lock = LockOfTheDead(entries->path());
    if (!lock.open()) continue;
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    std::filesystem::remove(entries->path(), ignored);
  }
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path, int64_t limit_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) return FileError("cannot open", path, errno);
  std::string content;
  char buffer[65536];
  while (true) {
    const ssize_t count = ::read(file.number(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError("cannot read", path, errno);
    if (count == 0) return content;
    content.append(buffer, static_cast<size_t>(count));
    if (static_cast<int64_t>(content.size()) > limit_bytes) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' is larger than {} bytes", path.string(), limit_bytes));
    }
  }
}

absl::Status MakeFolder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("cannot create '{}': {}", folder.string(), error.message()));
}

absl::Status SyncPath(const std::filesystem::path& path) {
  const Descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (opened.number() < 0) return FileError("cannot open", path, errno);
  if (::fsync(opened.number()) != 0) return FileError("cannot sync", path, errno);
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::filesystem::path& file, std::string_view content) {
  std::filesystem::path temporary = file;
  temporary += fmt::format(".partial-{}", ::getpid());
  if (absl::Status written = WriteAndSync(temporary, content); !written.ok()) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return FileError("cannot replace", file, error);
  }
  return SyncPath(FolderOf(file));
}

absl::StatusOr<MappedFile> MappedFile::Open(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) return FileError("cannot open", path, errno);
  struct stat info {};
  if (::fstat(file.number(), &info) != 0) return FileError("cannot examine", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(fmt::format("'{}' is not a regular file", path.string()));
  }
  MappedFile mapped;
  mapped.size_ = static_cast<size_t>(info.st_size);
  if (mapped.size_ == 0) return mapped;
  void* address = ::mmap(nullptr, mapped.size_, PROT_READ, MAP_SHARED, file.number(), 0);
  if (address == MAP_FAILED) return FileError("cannot map", path, errno);
  mapped.data_ = static_cast<const std::byte*>(address);
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

absl::StatusOr<PrivateFolder> PrivateFolder::Create(std::string_view prefix) {
  std::string parent = "/tmp";
  for (const char* variable : {"XDG_RUNTIME_DIR", "TMPDIR"}) {
    const char* value = std::getenv(variable);
    // A Unix socket's path holds 108 bytes.
    if (value == nullptr || value[0] == '\0' || std::string_view(value).size() > 60) continue;
    if (::access(value, W_OK) == 0) {
      parent = value;
      break;
    }
  }
  const std::string start = fmt::format("{}/{}-", parent, prefix);
  RemoveFoldersOfTheDead(start);
  std::string name = fmt::format("{}{}", start, kUnique);
  if (::mkdtemp(name.data()) == nullptr) return FileError("cannot create", name, errno);
  PrivateFolder folder;
  folder.path_ = name;
  const std::string file = LockOf(name);
  folder.lock_ = Descriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!folder.lock_.open() || ::flock(folder.lock_.number(), LOCK_EX | LOCK_NB) != 0) {
    return FileError("cannot create and lock", file, errno);
  }
  return folder;
}

PrivateFolder::PrivateFolder(PrivateFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}

PrivateFolder& PrivateFolder::operator=(PrivateFolder&& other) noexcept {
  std::swap(path_, other.path_);
  lock_ = std::move(other.lock_);
  return *this;
}

PrivateFolder::~PrivateFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  std::filesystem::remove(LockOf(path_), ignored);
}

}  // namespace ltml::base
