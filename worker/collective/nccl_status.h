#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <string_view>

#include "absl/status/status.h"

namespace ltml::collective {

// The one translation of NCCL's results: a lost peer, the network or the driver is Unavailable; a
// wrong argument or an error inside NCCL is Internal.  The message is `where` (rank and operation),
// NCCL's own text and a cure.
absl::StatusCode CodeOfNccl(ncclResult_t result);
absl::Status StatusOfNccl(ncclResult_t result, std::string_view where);

// The same for the CUDA run time: no memory is ResourceExhausted, a missing or wrong driver or
// device FailedPrecondition, a wrong argument Internal, everything else Unavailable: the device is
// of no more use to this process.
absl::StatusCode CodeOfCuda(cudaError_t error);
absl::Status StatusOfCuda(cudaError_t error, std::string_view where);

}  // namespace ltml::collective
