#pragma once

#include <memory>
#include <vector>

#include "worker/train/collective.h"

namespace ltml::collective {

// `world_size` ranks in one process: element r is rank r's, to be used by one thread.  Sums run in
// order of ranks.  A call that differs between ranks (operation, type, size, root) is an Internal
// error of all of them; one rank's timeout ends the whole group.
std::vector<std::unique_ptr<train::Collective>> MakeThreads(int world_size);

}  // namespace ltml::collective
