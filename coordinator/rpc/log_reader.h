#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace ltml::coordinator {

// The size of a capped log's two parts (coordinator/launch/capped_log.h).
inline constexpr int64_t kLogPartBytes = 64 << 10;
inline constexpr int64_t kLogChunkBytes = 64 << 10;

struct LogPiece {
  std::string text;            // whole lines, unless a line is longer than kLogChunkBytes
  int64_t left_out_bytes = 0;  // before `text`, since the offset that was asked for
  int64_t next_offset = 0;
};

// Reads a capped log, also while it grows.  Offsets count the bytes ever written to it: a byte
// keeps its offset when the file's end is rewritten, so that reading on from an offset repeats
// nothing, and knows how much has been left out since.  A line of which only a part is kept is left
// out whole.
class LogReader {
 public:
  LogReader(std::filesystem::path run_folder, std::filesystem::path file)
      : run_folder_(std::move(run_folder)), file_(std::move(file)) {}

  // The next piece at `offset`; nullopt when there is none (yet).  `whole`: nothing more will be
  // written, so an unfinished last line is told too.  A missing file is an empty one.
  absl::StatusOr<std::optional<LogPiece>> Read(int64_t offset, bool whole) const;

  // Where the log ends at present; nullopt while its end is being rewritten.
  absl::StatusOr<std::optional<int64_t>> End() const;

 private:
  std::filesystem::path run_folder_;
  std::filesystem::path file_;  // below run_folder_
};

}  // namespace ltml::coordinator
