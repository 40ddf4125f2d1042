#pragma once

namespace ltml::launch {

// `ltml-supervisor --rank ATTEMPT_FOLDER PROGRAM ARGUMENT...`, as mpirun and its daemons call it:
// runs one rank, whose life hangs on the caller's, so that nothing goes on when that was killed.
// Beside the supervisor it becomes the program, which writes into the supervisor's pipe.  On
// another host it stays, keeps the log, and ends as the program does.
int RunRank(char** arguments);

}  // namespace ltml::launch
