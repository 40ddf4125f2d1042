#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace ltml::launch {

struct SupervisorOptions {
  std::filesystem::path run_folder;
  std::filesystem::path attempt_folder;
  std::filesystem::path worker;  // run as `worker attempt_folder/task.json`, once a rank
  int64_t attempt_epoch = 1;
  int ranks = 1;
  std::chrono::nanoseconds stop_grace{};
  std::chrono::nanoseconds lock_wait{};
  int control = -1;  // socket to the owner; see below
};

// Runs one attempt in this process, which must have one thread: takes the run folder's lock, starts
// mpirun, splits its output into logs, and ends everything when told to.  Returns when no process
// of the attempt is left and exit.json is written; the result is this process's exit status (0, or
// 1 when the attempt could not start).
//
// On the control socket it says one of
//   started            mpirun runs
//   locked MESSAGE     another attempt holds the run folder
//   failed MESSAGE     it could not start for another reason
// and understands
//   stop REASON        end the attempt
//   (end of stream)    the owner is gone: end the attempt
int Supervise(const SupervisorOptions& options);

}  // namespace ltml::launch
