#include "coordinator/store/store_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/base/system.h"

namespace ltml::store {
namespace {

struct FileSystem {
  uint64_t type;
  const char* name;
};

// statfs(2), and the file systems' own headers for those that it does not list.
constexpr std::array kNetworkFileSystems = {
    FileSystem{0x6969, "NFS"},        FileSystem{0x517B, "SMB"},
    FileSystem{0xFF534D42, "CIFS"},   FileSystem{0xFE534D42, "SMB2"},
    FileSystem{0x01021997, "9p"},     FileSystem{0x65735546, "FUSE"},
    FileSystem{0x0BD00BD0, "Lustre"}, FileSystem{0x00C36400, "Ceph"},
    FileSystem{0x47504653, "GPFS"},   FileSystem{0x5346414F, "AFS"},
    FileSystem{0x73757245, "Coda"},   FileSystem{0x19830326, "BeeGFS"},
    FileSystem{0x7461636F, "OCFS2"},  FileSystem{0x01161970, "GFS2"}};

// SQLite cannot even open its files with less, and says "disk I/O error".
constexpr uint64_t kLeastBytes = 1 << 20;

absl::Status Unusable(const std::filesystem::path& folder, const std::string& what, int error) {
  return absl::UnavailableError(
      fmt::format("the store '{}': {}: {}", folder.string(), what, base::Reason(error)));
}

absl::Status Make(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Unusable(folder, "cannot create the folder", errno);
  }
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) {
    return Unusable(folder, "cannot ask for its file system", errno);
  }
  const auto free = static_cast<uint64_t>(info.f_bavail) * static_cast<uint64_t>(info.f_bsize);
  if (free < kLeastBytes) {
    return absl::UnavailableError(fmt::format(
        "the store '{}': its disk is full, with {} KiB left where {} KiB are needed; free "
        "some space, then start the server again",
        folder.string(), free / 1024, kLeastBytes / 1024));
  }
  const std::string network = NetworkFileSystem(static_cast<uint32_t>(info.f_type));
  if (network.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("the store '{}' lies on a network file system ({}), which cannot keep it safe; "
                  "set paths.store to a folder on a local disk",
                  folder.string(), network));
}

absl::Status Held(const std::filesystem::path& folder, const std::filesystem::path& file) {
  const std::string holder = base::ReadFile(file, 64).value_or("unknown");
  return absl::FailedPreconditionError(
      fmt::format("the store '{}' is in use by another ltmld (process {}); stop that one first",
                  folder.string(), holder));
}

}  // namespace

std::string NetworkFileSystem(uint64_t type) {
  for (const FileSystem& known : kNetworkFileSystems) {
    if (known.type == type) return known.name;
  }
  return "";
}

absl::StatusOr<StoreFolder> StoreFolder::Open(const std::filesystem::path& folder) {
  LTML_RETURN_IF_ERROR(Make(folder));
  const std::filesystem::path file = folder / "lock";
  base::Descriptor lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.open()) return Unusable(folder, "cannot open its lock", errno);
  if (::flock(lock.number(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK ? Held(folder, file) : Unusable(folder, "cannot lock it", errno);
  }
  const std::string holder = fmt::format("{}", ::getpid());
  if (::ftruncate(lock.number(), 0) != 0 ||
      ::pwrite(lock.number(), holder.data(), holder.size(), 0) != std::ssize(holder)) {
    return Unusable(folder, "cannot write its lock", errno);
  }
  return StoreFolder(folder, std::move(lock));
}

}  // namespace ltml::store
