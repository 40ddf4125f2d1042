#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/launch/identity.h"
#include "ltml/v1/run.pb.h"

namespace ltml::launch {

// One word of a POSIX shell that stands for `text`.  Pure.
std::string Quote(const std::string& text);

// The launch agent and its arguments that run `command` on a host: AGENT... -- ADDRESS COMMAND,
// whatever shell the user has there.  InvalidArgument as of CheckAddress.  Pure.
absl::StatusOr<std::vector<std::string>> AgentCommand(std::vector<std::string> agent,
                                                      const std::string& address,
                                                      const std::string& command);

// " PATH='...' LD_LIBRARY_PATH='...'" of "NAME=value" texts, as far as they are there: Open MPI is
// looked for on all hosts where it is found here.  Pure.
std::string SearchPaths(std::span<const std::string> environment);

struct DaemonOptions {
  std::string launch_id;
  std::filesystem::path scratch;
  // Our program there: the daemon looks for mpirun's launch agent, although it does not run it.
  std::filesystem::path supervisor;
  // "NAME=value"; PATH and LD_LIBRARY_PATH are taken.
  std::vector<std::string> environment{};
};

// The command that starts Open MPI's daemon on another host, of the words that mpirun made for a
// shell.  Pure.
std::string DaemonCommand(std::span<const std::string> words, const DaemonOptions& options);

// The command that examines another host (`ltml-supervisor --examine`), with the search paths of
// `environment`, which ranks will have too.  Pure.
std::string ExamineCommand(const std::string& supervisor, const std::string& question,
                           std::span<const std::string> environment);

// The command that ends an attempt's processes on another host, but for `spared`.  Pure.
std::string SweepCommand(const v1::LaunchPlan& plan, const ProcessIdentity& spared);

}  // namespace ltml::launch
