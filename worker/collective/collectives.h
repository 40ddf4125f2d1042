#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "worker/train/collective.h"

namespace ltml::collective {

// One process alone: every operation is the identity.
std::unique_ptr<train::Collective> MakeSingle();

// Open MPI.  A thread of its own calls MPI_Init_thread, all collectives and MPI_Finalize (when all
// ranks destroy the object in order); it yields while it waits when the cores are short.  Rank and
// world size are mpirun's.  Unavailable when MPI cannot start within `timeout`.
absl::StatusOr<std::unique_ptr<train::Collective>> MakeMpi(std::chrono::nanoseconds timeout);

}  // namespace ltml::collective
