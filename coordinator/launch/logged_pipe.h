#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "common/base/descriptor.h"
#include "coordinator/launch/capped_log.h"

namespace ltml::launch {

// The reading end of a pipe whose content goes into a log.  Move-only, not thread-safe.
class LoggedPipe {
 public:
  // A named pipe that a rank opens for its output (JoinRankPipe).  Ranks do not write through
  // mpirun: in a flood it loses lines (Open MPI 4.1.4).
  static absl::StatusOr<LoggedPipe> CreateNamed(const std::filesystem::path& pipe,
                                                std::filesystem::path log);
  LoggedPipe(base::Descriptor reading_end, std::filesystem::path log);

  int number() const { return descriptor_.number(); }
  // Moves one piece of what is there; whether there may be more.  Never waits.
  bool Read();
  // Moves what is left, then closes pipe and log.
  void Close();

 private:
  base::Descriptor descriptor_;
  CappedLog log_;
};

// Where a rank of the attempt with this scratch folder writes.
std::filesystem::path RankPipe(const std::filesystem::path& scratch, int rank);

// Makes the pipe this process's stdout and stderr.  Without a reader they stay as they are.
void JoinRankPipe(const std::filesystem::path& pipe);

}  // namespace ltml::launch
