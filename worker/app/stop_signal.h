#pragma once

namespace ltml::worker {

// SIGUSR1, which mpirun forwards to every rank, from now on asks this rank to stop.
void CatchStopSignal();

// Whether it has come.
bool StopSignalled();

}  // namespace ltml::worker
