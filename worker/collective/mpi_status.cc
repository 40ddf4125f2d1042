#include "worker/collective/mpi_status.h"

#include <fmt/format.h>
#include <mpi.h>

#include <array>

namespace ltml::collective {

absl::StatusCode CodeOfMpiClass(int error_class) {
  switch (error_class) {
    case MPI_SUCCESS:
      return absl::StatusCode::kOk;
    case MPI_ERR_NO_MEM:
      return absl::StatusCode::kResourceExhausted;
    case MPI_ERR_ARG:
    case MPI_ERR_BUFFER:
    case MPI_ERR_COMM:
    case MPI_ERR_COUNT:
    case MPI_ERR_OP:
    case MPI_ERR_RANK:
    case MPI_ERR_REQUEST:
    case MPI_ERR_ROOT:
    case MPI_ERR_TRUNCATE:
    case MPI_ERR_TYPE:
      return absl::StatusCode::kInternal;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

absl::Status StatusOfMpi(int code, std::string_view operation) {
  if (code == MPI_SUCCESS) return absl::OkStatus();
  int error_class = MPI_ERR_UNKNOWN;
  MPI_Error_class(code, &error_class);
  std::array<char, MPI_MAX_ERROR_STRING + 1> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  return absl::Status(CodeOfMpiClass(error_class), fmt::format("{}: {}", operation, text.data()));
}

}  // namespace ltml::collective
