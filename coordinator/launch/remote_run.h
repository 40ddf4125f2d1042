#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ltml::launch {

struct TargetHost {
  std::string address;
  bool remote = true;  // false: this machine, which needs no agent
};

struct RemoteRunOptions {
  std::vector<std::string> agent;  // the launch agent: program and options
  std::string command;             // for a POSIX shell
  std::chrono::nanoseconds limit{};
  const std::atomic<bool>* abandoned = nullptr;  // true: the answers are not wanted any more
};

// What a command came to on one host.
struct HostAnswer {
  std::string address;
  // OK: it ended with status 0.  InvalidArgument: no address; Internal: the agent cannot be
  // started; Unavailable: it, or the command, failed; DeadlineExceeded: no answer in time;
  // Cancelled.  Without the address and what was said.
  absl::Status status;
  int exit_status = 0;
  std::chrono::nanoseconds time{};
  std::string output{};  // stdout
  std::string said{};    // stderr: of the agent, and of the command
};

// Runs one command on all hosts at once and waits for it, at most `limit`; what has not ended by
// then is killed here, and on other hosts ends as the agent's end lets it.  An answer a host, in
// their order.
std::vector<HostAnswer> RunOnHosts(const std::vector<TargetHost>& hosts,
                                   const RemoteRunOptions& options);

}  // namespace ltml::launch
