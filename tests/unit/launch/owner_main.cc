// usage: launch_owner RUN_FOLDER ATTEMPT_FOLDER: starts an attempt of two ranks and waits for it.
#include <fmt/format.h>

#include <cstdio>

#include "common/base/random.h"
#include "coordinator/launch/launcher.h"
#include "coordinator/launch/processes.h"

int main(int count, char** arguments) {
  if (count != 3) return 2;
  auto attempt = ltml::launch::Launch({.run_folder = arguments[1],
                                       .attempt_folder = arguments[2],
                                       .attempt_epoch = 1,
                                       .launch_id = ltml::base::RandomToken(),
                                       .hosts = {{.address = "localhost", .ranks = 2}},
                                       .token = "owner",
                                       .stop_grace = std::chrono::milliseconds(500)});
  if (!attempt.ok()) {
    fmt::print(stderr, "{}\n", std::string(attempt.status().message()));
    return 1;
  }
  return (*attempt)->Wait(std::chrono::seconds(60)).ok() ? 0 : 1;
}
