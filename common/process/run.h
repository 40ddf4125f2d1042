#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ltml::process {

struct Command {
  std::vector<std::string> arguments;    // the program first, looked for in PATH
  std::vector<std::string> environment;  // "NAME=value"
};

// What became of a command.
struct Answer {
  // OK once it has ended, however; Internal: it could not be started; DeadlineExceeded, Cancelled:
  // it was killed.
  absl::Status status;
  int exit_status = 0;  // 128 + N after signal N
  std::chrono::nanoseconds time{};
  std::string output{};  // on stdout, its beginning
  std::string errors{};  // on stderr, its beginning

  bool succeeded() const { return status.ok() && exit_status == 0; }
};

struct RunLimits {
  std::chrono::nanoseconds time{};               // for all together
  size_t output_bytes = 1 << 20;                 // of each stream of each command
  const std::atomic<bool>* abandoned = nullptr;  // true: nobody wants the answers any more
};

// Runs all commands at once, each in a session of its own, and waits for them; what has not ended
// in time is killed with all that it started.  An answer a command, in their order.
std::vector<Answer> RunAtOnce(std::vector<Command> commands, const RunLimits& limits);

}  // namespace ltml::process
