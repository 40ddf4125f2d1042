#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ltml::launch {

// The number of SpawnOptions::control in the new process.
inline constexpr int kControlDescriptor = 3;

struct SpawnOptions {
  std::vector<std::string> arguments;    // the program first, looked for in PATH
  std::vector<std::string> environment;  // "NAME=value"
  std::filesystem::path log;             // stdout and stderr are appended to it
  int control = -1;                      // handed over as kControlDescriptor; -1: none
};

// Starts a process in a session of its own, with default signals and nothing of this program but
// its log file and the control socket.  Internal when it cannot be started.
absl::StatusOr<pid_t> Spawn(SpawnOptions options);

}  // namespace ltml::launch
