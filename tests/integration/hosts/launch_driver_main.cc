// usage: launch_driver RUN ATTEMPT LAUNCH_ID GRACE_MS HOST:RANKS[,...] AGENT...: launches, says
// "started", stops at a line "stop" or "stop-now" of its input, and prints the exit record.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include "common/base/proto_json.h"
#include "coordinator/launch/launcher.h"

namespace {

using ltml::launch::Attempt;

std::vector<ltml::launch::RankHost> ParseHosts(const std::string& text) {
  std::vector<ltml::launch::RankHost> hosts;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t colon = part.find(':');
    hosts.push_back({part.substr(0, colon), std::atoi(part.c_str() + colon + 1)});
  }
  return hosts;
}

void StopWhenAsked(Attempt& attempt) {
  pollfd entry{STDIN_FILENO, POLLIN, 0};
  std::string line;
  if (::poll(&entry, 1, 0) > 0 && std::getline(std::cin, line)) {
    attempt.Stop("the test says so", line == "stop-now");
  }
}

int Run(Attempt& attempt) {
  auto record = attempt.Wait(std::chrono::milliseconds(50));
  while (absl::IsDeadlineExceeded(record.status())) {
    StopWhenAsked(attempt);
    record = attempt.Wait(std::chrono::milliseconds(50));
  }
  if (!record.ok()) {
    fmt::print("failed: {}\n", std::string(record.status().message()));
    return 1;
  }
  fmt::print("{}\n", ltml::base::ToJson(*record, true).value_or(""));
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 7) return 2;
  auto attempt = ltml::launch::Launch(
      {.run_folder = arguments[1],
       .attempt_folder = arguments[2],
       .launch_id = arguments[3],
       .hosts = ParseHosts(arguments[5]),
       .threads_per_rank = 1,
       .token = "the-token",
       .stop_grace = std::chrono::milliseconds(std::atoi(arguments[4])),
       .outlives_owner = true,
       .remote = {.agent = {arguments + 6, arguments + count}, .interfaces = {}, .programs = {}}});
  if (!attempt.ok()) {
    fmt::print("failed: {}\n", std::string(attempt.status().message()));
    return 1;
  }
  fmt::print("started\n");
  std::fflush(stdout);
  return Run(**attempt);
}
