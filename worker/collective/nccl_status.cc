#include "worker/collective/nccl_status.h"

#include <fmt/format.h>

namespace ltml::collective {
namespace {

std::string_view CureOf(ncclResult_t result) {
  switch (result) {
    case ncclRemoteError:
      return "another rank has ended or cannot be reached; its own message says why";
    case ncclSystemError:
      return "look at the network (NCCL_SOCKET_IFNAME) and at the room in /dev/shm, and see "
             "NCCL_DEBUG=WARN";
    case ncclUnhandledCudaError:
      return "the GPU or its driver failed: see NCCL_DEBUG=WARN and dmesg";
    default:
      return "NCCL_DEBUG=WARN says more";
  }
}

std::string_view CureOf(cudaError_t error) {
  switch (CodeOfCuda(error)) {
    case absl::StatusCode::kResourceExhausted:
      return "lower streams.global_batch or use more ranks";
    case absl::StatusCode::kFailedPrecondition:
      return "nvidia-smi must list the GPU, and the driver must serve CUDA 13";
    default:
      return "dmesg may say more";
  }
}

}  // namespace

absl::StatusCode CodeOfNccl(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return absl::StatusCode::kOk;
    case ncclUnhandledCudaError:
    case ncclSystemError:
    case ncclRemoteError:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInternal;
  }
}

absl::Status StatusOfNccl(ncclResult_t result, std::string_view where) {
  if (result == ncclSuccess) return absl::OkStatus();
  return absl::Status(CodeOfNccl(result),
                      fmt::format("{}: {}; {}", where, ncclGetErrorString(result), CureOf(result)));
}

absl::StatusCode CodeOfCuda(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return absl::StatusCode::kOk;
    case cudaErrorMemoryAllocation:
      return absl::StatusCode::kResourceExhausted;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorNoKernelImageForDevice:
      return absl::StatusCode::kFailedPrecondition;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidResourceHandle:
      return absl::StatusCode::kInternal;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

absl::Status StatusOfCuda(cudaError_t error, std::string_view where) {
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::Status(CodeOfCuda(error),
                      fmt::format("{}: {}; {}", where, cudaGetErrorString(error), CureOf(error)));
}

}  // namespace ltml::collective
