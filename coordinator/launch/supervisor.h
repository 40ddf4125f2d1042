#pragma once

#include <filesystem>

namespace ltml::launch {

struct SupervisorOptions {
  std::filesystem::path attempt_folder;  // with launch.json, the plan
  int control = -1;                      // socket to the owner; see below
};

// Runs one attempt in this process, which must have one thread: takes the run folder's lock, starts
// mpirun, splits its output into logs, and ends everything when told to.  Returns when no process
// of the attempt is left and exit.json is written; the result is this process's exit status (0, or
// 1 when the attempt could not start).  An attempt that outlives its owner has supervisor.json from
// its beginning.
//
// On the control socket it says one of
//   started            mpirun runs
//   locked MESSAGE     another attempt holds the run folder
//   failed MESSAGE     it could not start for another reason
// and understands there, and from all who connect to the socket that supervisor.json names,
//   stop REASON        end the attempt: first the ranks' own way
//   stop-now REASON    end the attempt: without it
//   (end of stream)    the owner is gone: end the attempt, unless it outlives its owner
int Supervise(const SupervisorOptions& options);

}  // namespace ltml::launch
