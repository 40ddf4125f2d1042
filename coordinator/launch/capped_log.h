#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/descriptor.h"

namespace ltml::launch {

// A log file that keeps the first and the last `part_bytes` of what was written and says how much
// is missing between:
//
//   first 64 KiB
//   ... 123456 bytes left out ...
//   last 64 KiB
//
// The file is up to date after every Append, so it can be followed, and what is in it survives this
// process; until Close it may hold up to twice the last part.  The file is created by the first
// Append.  Errors of the disk are counted as left out, never reported: a log must not end a run.
// Move-only, not thread-safe.
class CappedLog {
 public:
  explicit CappedLog(std::filesystem::path file, int64_t part_bytes = 64 << 10);
  void Append(std::string_view text);
  void Close();

 private:
  void RewriteEnd();

  std::filesystem::path file_;
  int64_t part_bytes_;
  base::Descriptor descriptor_;
  bool failed_ = false;
  int64_t first_bytes_ = 0;
  std::string end_;  // what stands after the first part, without the line between
  int64_t left_out_bytes_ = 0;
};

}  // namespace ltml::launch
