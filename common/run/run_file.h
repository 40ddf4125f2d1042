#pragma once

#include <google/protobuf/message.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/base/descriptor.h"

namespace ltml::run {

// A file in a run folder.  Ranks write there, so it may be a trap: no symbolic link below the run
// folder is followed, and only regular files are opened.  Move-only.
class RunFile {
 public:
  // NotFound without the file; FailedPrecondition for a link or something that is no file.
  static absl::StatusOr<RunFile> Open(const std::filesystem::path& run_folder,
                                      const std::filesystem::path& relative);

  absl::StatusOr<int64_t> Size() const;
  // Another file under the same name has another number.
  uint64_t inode() const { return inode_; }
  // Up to `bytes` from `offset`; fewer at the end of the file.
  absl::StatusOr<std::string> Read(int64_t offset, int64_t bytes) const;

 private:
  RunFile(base::Descriptor descriptor, uint64_t inode)
      : descriptor_(std::move(descriptor)), inode_(inode) {}
  base::Descriptor descriptor_;
  uint64_t inode_;
};

// A message that a run folder holds as JSON.  False for a file that is not there; InvalidArgument
// names a damaged one; others as of RunFile.
absl::StatusOr<bool> ReadMessage(const std::filesystem::path& run_folder,
                                 const std::filesystem::path& relative,
                                 google::protobuf::Message* message);

}  // namespace ltml::run
