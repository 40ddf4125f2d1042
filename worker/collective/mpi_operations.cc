#include "worker/collective/mpi_operations.h"

#include <mpi.h>

#include <algorithm>

#include "common/base/backoff.h"
#include "common/base/status_macros.h"
#include "worker/collective/mpi_status.h"

namespace ltml::collective {
namespace {

MPI_Datatype TypeOf(train::ElementType type) {
  switch (type) {
    case train::ElementType::kFloat32:
      return MPI_FLOAT;
    case train::ElementType::kFloat64:
      return MPI_DOUBLE;
    case train::ElementType::kInt64:
      return MPI_INT64_T;
  }
  return MPI_DATATYPE_NULL;
}

int64_t BytesOf(train::ElementType type) { return type == train::ElementType::kFloat32 ? 4 : 8; }

// Calls `operation` (address, count) for each part of the buffer.
template <typename Operation>
absl::Status InChunks(const train::Buffer& buffer, int64_t chunk, Operation&& operation) {
  char* const start = static_cast<char*>(buffer.data);
  for (int64_t done = 0; done < buffer.count; done += chunk) {
    const int count = static_cast<int>(std::min(chunk, buffer.count - done));
    LTML_RETURN_IF_ERROR(operation(start + done * BytesOf(buffer.type), count));
  }
  return absl::OkStatus();
}

absl::Status AwaitRequest(MPI_Request& request, const std::atomic<bool>& abandoned) {
  for (base::Backoff backoff;; backoff.Pause()) {
    int done = 0;
    LTML_RETURN_IF_ERROR(StatusOfMpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test"));
    if (done != 0) return absl::OkStatus();
    if (abandoned.load(std::memory_order_relaxed)) return absl::CancelledError("given up");
  }
}

}  // namespace

absl::Status InitialiseMpi(MpiWorld* world) {
  int provided = MPI_THREAD_SINGLE;
  LTML_RETURN_IF_ERROR(StatusOfMpi(
      MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread"));
  if (provided < MPI_THREAD_FUNNELED) {
    return absl::UnavailableError(
        "MPI has no thread support (MPI_THREAD_FUNNELED): install an Open MPI with threads");
  }
  LTML_RETURN_IF_ERROR(StatusOfMpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN),
                                   "MPI_Comm_set_errhandler"));
  LTML_RETURN_IF_ERROR(StatusOfMpi(MPI_Comm_rank(MPI_COMM_WORLD, &world->rank), "MPI_Comm_rank"));
  return StatusOfMpi(MPI_Comm_size(MPI_COMM_WORLD, &world->size), "MPI_Comm_size");
}

absl::Status FinaliseMpi() { return StatusOfMpi(MPI_Finalize(), "MPI_Finalize"); }

absl::Status MeetAllRanks(const std::atomic<bool>& abandoned) {
  MPI_Request request = MPI_REQUEST_NULL;
  LTML_RETURN_IF_ERROR(StatusOfMpi(MPI_Ibarrier(MPI_COMM_WORLD, &request), "MPI_Ibarrier"));
  return AwaitRequest(request, abandoned);
}

absl::Status SumOverRanks(const train::Buffer& buffer, int64_t chunk) {
  return InChunks(buffer, chunk, [&](char* data, int count) {
    return StatusOfMpi(
        MPI_Allreduce(MPI_IN_PLACE, data, count, TypeOf(buffer.type), MPI_SUM, MPI_COMM_WORLD),
        "MPI_Allreduce");
  });
}

absl::Status BroadcastFrom(const train::Buffer& buffer, int root, int64_t chunk) {
  return InChunks(buffer, chunk, [&](char* data, int count) {
    return StatusOfMpi(MPI_Bcast(data, count, TypeOf(buffer.type), root, MPI_COMM_WORLD),
                       "MPI_Bcast");
  });
}

}  // namespace ltml::collective
