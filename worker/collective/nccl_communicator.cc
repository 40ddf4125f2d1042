#include "worker/collective/nccl_communicator.h"

#include <fmt/format.h>

#include <cstring>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/base/backoff.h"
#include "common/base/status_macros.h"
#include "worker/collective/nccl_status.h"

namespace ltml::collective {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr absl::Duration kEndLimit = absl::Seconds(10);

ncclUniqueId IdOf(const NcclId& id) {
  static_assert(sizeof(ncclUniqueId) == sizeof(NcclId));
  ncclUniqueId unique;
  std::memcpy(&unique, id.data(), sizeof(unique));
  return unique;
}

// Waits without a limit of its own: InThread has one.
void Destroy(ncclComm_t communicator) {
  ncclResult_t state = ncclCommFinalize(communicator);
  for (base::Backoff backoff; state == ncclInProgress; backoff.Pause()) {
    if (ncclCommGetAsyncError(communicator, &state) != ncclSuccess) break;
  }
  if (state == ncclSuccess) {
    (void)ncclCommDestroy(communicator);
  } else {
    (void)ncclCommAbort(communicator);
  }
}

void Abort(ncclComm_t communicator) { (void)ncclCommAbort(communicator); }

}  // namespace

absl::StatusOr<std::unique_ptr<NcclCommunicator>> NcclCommunicator::Create(
    const NcclOptions& options) {
  std::unique_ptr<NcclCommunicator> made(new NcclCommunicator(options));
  LTML_RETURN_IF_ERROR(
      StatusOfCuda(cudaSetDevice(options.device), made->Where("choosing the GPU")));
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  config.commName = "ltml";
  constexpr std::string_view kStart = "NCCL's start";
  const absl::Status started =
      made->Settle(ncclCommInitRankConfig(&made->communicator_, options.world_size,
                                          IdOf(options.id), options.rank, &config),
                   kStart, options.start_limit);
  if (started.ok()) return made;
  made->Abandon();
  return started;
}

NcclCommunicator::~NcclCommunicator() {
  if (communicator_ != nullptr) InThread(Destroy);
}

std::string NcclCommunicator::Where(std::string_view operation) const {
  return fmt::format("rank {} of {} (GPU {}): {}", options_.rank, options_.world_size,
                     options_.device, operation);
}

absl::Status NcclCommunicator::Settle(ncclResult_t result, std::string_view operation,
                                      nanoseconds limit) {
  const Clock::time_point end = Clock::now() + limit;
  for (base::Backoff backoff; result == ncclInProgress; backoff.Pause()) {
    if (Clock::now() > end) {
      return absl::DeadlineExceededError(
          fmt::format("{} was not taken up within {:.1f} s: another rank is late, stopped or lost, "
                      "or the GPUs cannot reach each other (NCCL_DEBUG=INFO)",
                      Where(operation), std::chrono::duration<double>(limit).count()));
    }
    const ncclResult_t asked = ncclCommGetAsyncError(communicator_, &result);
    if (asked != ncclSuccess) result = asked;
  }
  return StatusOfNccl(result, Where(operation));
}

absl::Status NcclCommunicator::Call(std::string_view operation, nanoseconds limit,
                                    const std::function<ncclResult_t(ncclComm_t)>& call) {
  return Settle(call(communicator_), operation, limit);
}

absl::Status NcclCommunicator::Check(std::string_view operation) {
  ncclResult_t state = ncclSuccess;
  const ncclResult_t asked = ncclCommGetAsyncError(communicator_, &state);
  if (asked != ncclSuccess) state = asked;
  if (state == ncclInProgress) return absl::OkStatus();
  return StatusOfNccl(state, Where(operation));
}

void NcclCommunicator::Abandon() {
  if (communicator_ == nullptr) return;
  InThread(Abort);
  communicator_ = nullptr;
}

void NcclCommunicator::InThread(void (*end)(ncclComm_t)) const {
  // Shared: the thread may outlive this object.
  const auto ended = std::make_shared<absl::Notification>();
  std::thread thread([ended, end, communicator = communicator_, device = options_.device] {
    (void)cudaSetDevice(device);
    end(communicator);
    ended->Notify();
  });
  if (ended->WaitForNotificationWithTimeout(kEndLimit)) {
    thread.join();
  } else {
    thread.detach();
  }
}

}  // namespace ltml::collective
