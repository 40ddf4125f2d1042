#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace ltml::store {

// The name of a file system that other machines may write too ("NFS"), from statfs's f_type; empty
// for all others.  SQLite's locks and memory maps do not hold there.
std::string NetworkFileSystem(uint64_t type);

// A store's folder, made with mode 0700 where it is missing, and held by a lock on FOLDER/lock for
// as long as this object lives.  Move-only.
class StoreFolder {
 public:
  // FailedPrecondition when another process holds it (with its id), or on a network file system;
  // Unavailable when it cannot be made or written, or its disk is full.
  static absl::StatusOr<StoreFolder> Open(const std::filesystem::path& folder);
  StoreFolder(StoreFolder&& other) noexcept;
  StoreFolder& operator=(StoreFolder&&) = delete;
  ~StoreFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  StoreFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace ltml::store
