#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace ltml::view {

// Follows a file of a run folder that grows by lines.  Not thread-safe.
class LineFile {
 public:
  LineFile(std::filesystem::path run_folder, std::filesystem::path relative)
      : run_folder_(std::move(run_folder)), relative_(std::move(relative)) {}

  // Calls `line` for every whole line since the last call, without its end.  `restart` comes before
  // that when the file was replaced or cut (a resumed run drops lines): all lines come again then.
  // A missing file has no lines; other errors as of run::RunFile.
  absl::Status Read(const std::function<void()>& restart,
                    const std::function<void(std::string_view)>& line);

 private:
  const std::filesystem::path run_folder_, relative_;
  uint64_t inode_ = 0;
  int64_t offset_ = 0;  // of the first byte that no line was made of
};

}  // namespace ltml::view
