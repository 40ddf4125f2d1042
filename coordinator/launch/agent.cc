#include "coordinator/launch/agent.h"

#include <errno.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/proto_json.h"
#include "common/base/system.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/mpirun_command.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/remote_command.h"
#include "coordinator/launch/run_lock.h"

namespace ltml::launch {
namespace {

int Fail(const std::string& message) {
  fmt::print(stderr, "ltml-supervisor --agent: {}\n", message);
  return 1;
}

}  // namespace

int RunAgent(int count, char** arguments) {
  const char* folder = std::getenv(kAttemptFolderVariable);
  if (folder == nullptr || count < 2) return Fail("it is for mpirun only");
  v1::LaunchPlan plan;
  const auto read = base::ReadJsonFile(std::filesystem::path(folder) / "launch.json", &plan);
  if (!read.ok()) return Fail(std::string(read.message()));
  const std::vector<std::string> known = RemoteAddresses(plan);
  if (std::ranges::find(known, arguments[0]) == known.end()) {
    return Fail(fmt::format("host '{}' is none of this attempt's other hosts", arguments[0]));
  }
  const std::vector<std::string> words(arguments + 1, arguments + count);
  auto command = AgentCommand({plan.agent().begin(), plan.agent().end()}, arguments[0],
                              DaemonCommand(words, {.launch_id = plan.launch_id(),
                                                    .scratch = ScratchFolder(plan.launch_id()),
                                                    .supervisor = plan.supervisor(),
                                                    .environment = base::OwnEnvironment()}));
  if (!command.ok()) return Fail(std::string(command.status().message()));
  // Ranks get it from mpirun; a launch agent has no use for it.
  ::unsetenv("LTML_TOKEN");
  ::execvp(command->front().c_str(), base::Pointers(*command).data());
  return Fail(fmt::format("cannot run the launch agent '{}': {}; see launch.agent in ltmld.toml",
                          command->front(), base::Reason(errno)));
}

}  // namespace ltml::launch
