#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace ltml::collective {

// The one translation of MPI error codes: MPI_SUCCESS is OK; no memory is ResourceExhausted; a
// wrong argument is Internal (ours); everything else, a lost peer above all, is Unavailable.  The
// message names `operation` and holds MPI's own text.  Callable from MPI_Init_thread on.
absl::Status StatusOfMpi(int code, std::string_view operation);

// The code of an MPI error class (MPI_ERR_...).
absl::StatusCode CodeOfMpiClass(int error_class);

}  // namespace ltml::collective
