#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "worker/train/collective.h"
#include "worker/train/shared_memory.h"

namespace ltml::collective {

// Memory of all ranks of `collective`, with parts of `bytes` each: anonymous (memfd_create), so it
// goes with the last process and needs no room in /dev/shm.  Ranks open each other's through /proc.
// All ranks call it together, and all get it or none: Unavailable on several machines, containers
// or network namespaces; ResourceExhausted without memory; or the collective's own error, after
// which that is of no more use.
absl::StatusOr<std::unique_ptr<train::SharedMemory>> ShareMemory(train::Collective& collective,
                                                                 int64_t bytes,
                                                                 std::chrono::nanoseconds timeout);

}  // namespace ltml::collective
