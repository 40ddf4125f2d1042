#include "coordinator/launch/remote_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/status_macros.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/processes.h"

namespace ltml::launch {

std::string Quote(const std::string& text) {
  std::string result = "'";
  for (const char character : text) {
    if (character == '\'') {
      result += "'\\''";
    } else {
      result += character;
    }
  }
  return result + "'";
}

absl::StatusOr<std::vector<std::string>> AgentCommand(std::vector<std::string> agent,
                                                      const std::string& address,
                                                      const std::string& command) {
  LTML_RETURN_IF_ERROR(CheckAddress(address));
  agent.insert(agent.end(), {"--", address, fmt::format("exec /bin/sh -c {}", Quote(command))});
  return agent;
}

std::string SearchPaths(std::span<const std::string> environment) {
  std::string result;
  for (const std::string& entry : environment) {
    const std::string name = entry.substr(0, entry.find('='));
    if (name != "PATH" && name != "LD_LIBRARY_PATH") continue;
    result +=
        fmt::format(" {}={}", name, Quote(entry.substr(std::min(name.size() + 1, entry.size()))));
  }
  return result;
}

std::string DaemonCommand(std::span<const std::string> words, const DaemonOptions& options) {
  std::string result = fmt::format(
      "umask 077; mkdir -p {0} && ln -sf {1} {0}/ltml-supervisor && cd {0} || exit 1; "
      "export {2}={3}",
      Quote(options.scratch.string()), Quote(options.supervisor.string()), kAttemptVariable,
      Quote(options.launch_id));
  return fmt::format("{}{}; exec {}", result, SearchPaths(options.environment),
                     fmt::join(words, " "));
}

std::string ExamineCommand(const std::string& supervisor, const std::string& question,
                           std::span<const std::string> environment) {
  return fmt::format("exec env{} {} --examine {}", SearchPaths(environment), Quote(supervisor),
                     Quote(question));
}

std::string SweepCommand(const v1::LaunchPlan& plan, const ProcessIdentity& spared) {
  return fmt::format("exec {} --sweep {} --spare {}", Quote(plan.supervisor()),
                     Quote(plan.launch_id()), Quote(ToText(spared)));
}

}  // namespace ltml::launch
