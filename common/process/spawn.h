#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ltml::process {

// The number of SpawnOptions::control in the new process.
inline constexpr int kControlDescriptor = 3;

struct SpawnOptions {
  std::vector<std::string> arguments;    // the program first, looked for in PATH
  std::vector<std::string> environment;  // "NAME=value"
  std::filesystem::path log{};           // stdout and stderr are appended to it
  // Open files that are stdout and stderr in place of the log; -1: none.
  int output = -1;
  int errors = -1;
  int control = -1;  // handed over as kControlDescriptor; -1: none
};

// Starts a process in a session of its own, with default signals, no input, and nothing of this
// program but what the options name.  Internal when it cannot be started.
absl::StatusOr<pid_t> Spawn(SpawnOptions options);

}  // namespace ltml::process
