#pragma once

#include <google/protobuf/message.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace ltml::run {

// A file in a run folder.  Ranks write there, so it may be a trap: no symbolic link below the run
// folder is followed, and only regular files are opened.  Move-only.
class RunFile {
 public:
  // NotFound without the file; FailedPrecondition for a link or something that is no file.
  static absl::StatusOr<RunFile> Open(const std::filesystem::path& run_folder,
                                      const std::filesystem::path& relative);
  RunFile(RunFile&& other) noexcept;
  RunFile& operator=(RunFile&&) = delete;
  ~RunFile();

  absl::StatusOr<int64_t> Size() const;
  // Another file under the same name has another number.
  uint64_t inode() const { return inode_; }
  // Up to `bytes` from `offset`; fewer at the end of the file.
  absl::StatusOr<std::string> Read(int64_t offset, int64_t bytes) const;

 private:
  explicit RunFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
  uint64_t inode_ = 0;
};

// A message that a run folder holds as JSON.  False for a file that is not there; InvalidArgument
// names a damaged one; others as of RunFile.
absl::StatusOr<bool> ReadMessage(const std::filesystem::path& run_folder,
                                 const std::filesystem::path& relative,
                                 google::protobuf::Message* message);

}  // namespace ltml::run
