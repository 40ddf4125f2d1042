#include "coordinator/launch/remote_run.h"

#include <fmt/format.h>

#include <utility>

#include "absl/status/statusor.h"
#include "common/base/system.h"
#include "common/process/run.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/remote_command.h"

namespace ltml::launch {
namespace {

// The agents must not carry an attempt's mark, or the sweep that they bring would end them.
std::vector<std::string> UnmarkedEnvironment() {
  std::vector<std::string> result = base::OwnEnvironment();
  std::erase_if(result, [](const std::string& entry) {
    return entry.starts_with(fmt::format("{}=", kAttemptVariable)) ||
           entry.starts_with("LTML_TOKEN=");
  });
  return result;
}

absl::StatusOr<std::vector<std::string>> Arguments(const TargetHost& host,
                                                   const RemoteRunOptions& options) {
  if (host.remote) return AgentCommand(options.agent, host.address, options.command);
  return std::vector<std::string>{"/bin/sh", "-c", options.command};
}

absl::Status Judged(const process::Answer& answer, bool remote) {
  if (!answer.status.ok() || answer.exit_status == 0) return answer.status;
  return absl::UnavailableError(fmt::format(
      "the {} ended with status {}", remote ? "launch agent" : "command", answer.exit_status));
}

}  // namespace

std::vector<HostAnswer> RunOnHosts(const std::vector<TargetHost>& hosts,
                                   const RemoteRunOptions& options) {
  std::vector<HostAnswer> answers;
  std::vector<size_t> asked;
  std::vector<process::Command> commands;
  for (const TargetHost& host : hosts) {
    auto arguments = Arguments(host, options);
    answers.push_back({.address = host.address, .status = arguments.status()});
    if (!arguments.ok()) continue;
    asked.push_back(answers.size() - 1);
    commands.push_back({*std::move(arguments), UnmarkedEnvironment()});
  }
  std::vector<process::Answer> ended = process::RunAtOnce(
      std::move(commands), {.time = options.limit, .abandoned = options.abandoned});
  for (size_t i = 0; i < asked.size(); ++i) {
    HostAnswer& answer = answers[asked[i]];
    answer.status = Judged(ended[i], hosts[asked[i]].remote);
    answer.exit_status = ended[i].exit_status;
    answer.time = ended[i].time;
    answer.output = std::move(ended[i].output);
    answer.said = std::move(ended[i].errors);
  }
  return answers;
}

}  // namespace ltml::launch
