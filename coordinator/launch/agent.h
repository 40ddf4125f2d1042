#pragma once

namespace ltml::launch {

// `ltml-supervisor --agent ADDRESS COMMAND...`, as mpirun calls it to start its daemon on another
// host: checks the address against the plan of the attempt in LTML_ATTEMPT_FOLDER and becomes the
// configured launch agent.  Returns, with an exit status, only on failure.
int RunAgent(int count, char** arguments);

}  // namespace ltml::launch
