#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/base/descriptor.h"

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

  const std::filesystem::path& path() const { return path_; }

 private:
  StoreFolder(std::filesystem::path path, base::Descriptor lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  base::Descriptor lock_;
};

}  // namespace ltml::store
