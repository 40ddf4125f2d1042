#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/descriptor.h"

namespace ltml::base {

// Whole file as a string.  NotFound, or Internal with the operating system's reason; both name the
// file.  Files over `limit_bytes` are refused with InvalidArgument.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file,
                                     int64_t limit_bytes = int64_t{1} << 30);

// Replaces `file` by `content` so that a reader, also after a power cut, finds the old or the new
// file whole: temporary name in the same folder, fsync, rename, fsync of the folder.
absl::Status WriteFileAtomically(const std::filesystem::path& file, std::string_view content);

// Makes a folder, and those above it, unless it is there.  Internal names it and the reason.
absl::Status MakeFolder(const std::filesystem::path& folder);

// fsync of a file or folder.
absl::Status SyncPath(const std::filesystem::path& path);

// Read-only memory map of a whole file.  Move-only; unmapped on destruction.  An empty file maps to
// an empty span.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::filesystem::path& file);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A new folder of mode 0700 with a unique name below XDG_RUNTIME_DIR, TMPDIR or /tmp; removed with
// all its content on destruction.  What a killed process left is removed by the next Create of the
// same prefix: beside each folder lies a file, "FOLDER.lock", that its owner has locked for as long
// as it lives.  Its path is short enough for a Unix socket.
class PrivateFolder {
 public:
  static absl::StatusOr<PrivateFolder> Create(std::string_view prefix);
  PrivateFolder() = default;
  PrivateFolder(PrivateFolder&& other) noexcept;
  PrivateFolder& operator=(PrivateFolder&& other) noexcept;
  ~PrivateFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  Descriptor lock_;
};

}  // namespace ltml::base
