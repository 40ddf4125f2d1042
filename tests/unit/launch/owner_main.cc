// usage: launch_owner RUN_FOLDER ATTEMPT_FOLDER [LAUNCH_ID]: starts an attempt of two ranks and
// waits for it; with a launch id, one that outlives it.
#include <fmt/format.h>

#include <cstdio>

#include "common/base/random.h"
#include "coordinator/launch/launcher.h"

int main(int count, char** arguments) {
  if (count != 3 && count != 4) return 2;
  auto attempt =
      ltml::launch::Launch({.run_folder = arguments[1],
                            .attempt_folder = arguments[2],
                            .attempt_epoch = 7,
                            .launch_id = count == 4 ? arguments[3] : ltml::base::RandomToken(),
                            .hosts = {{.address = "localhost", .ranks = 2}},
                            .token = "owner",
                            .stop_grace = std::chrono::milliseconds(500),
                            .outlives_owner = count == 4});
  if (!attempt.ok()) {
    fmt::print(stderr, "{}\n", std::string(attempt.status().message()));
    return 1;
  }
  return (*attempt)->Wait(std::chrono::seconds(60)).ok() ? 0 : 1;
}
