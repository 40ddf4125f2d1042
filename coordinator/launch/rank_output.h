#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/launch/capped_log.h"

namespace ltml::launch {

// Splits what `mpirun --tag-output` prints into rank-0.log, rank-1.log, ... and, for its own words,
// mpirun.log.  mpirun puts "[1,RANK]<stderr>:" before every line and before every piece that a rank
// writes.  Not thread-safe.
class RankOutput {
 public:
  RankOutput(const std::filesystem::path& folder, int ranks);
  void Append(std::string_view text);
  void Close();  // the last line need not have an end

 private:
  void TakeLine(std::string_view line);
  void Write(int rank, std::string_view text);

  int ranks_;
  std::string pending_;          // the line that has no end yet
  std::vector<CappedLog> logs_;  // [ranks] of the ranks, then mpirun's own
};

}  // namespace ltml::launch
