#pragma once

#include <nccl.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/collective/nccl.h"

namespace ltml::collective {

// A non-blocking communicator: no call of NCCL stops the thread, so every wait has its deadline.
// For one thread at a time.
class NcclCommunicator {
 public:
  // All ranks together.  DeadlineExceeded when they did not come within options.start_limit.
  static absl::StatusOr<std::unique_ptr<NcclCommunicator>> Create(const NcclOptions& options);
  // Ends the communicator in good order; an abandoned one is gone already.
  ~NcclCommunicator();
  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;

  // Makes a call of NCCL with the communicator and waits until NCCL has taken it over, which is
  // before the GPU does the work.  `operation` is for the message.
  absl::Status Call(std::string_view operation, std::chrono::nanoseconds limit,
                    const std::function<ncclResult_t(ncclComm_t)>& call);
  // An error of an earlier call, or of another rank, that has shown since.
  absl::Status Check(std::string_view operation);

  // Takes the work in flight off the GPU.  NCCL's own call may hang: a thread makes it, and is left
  // behind when it takes too long.  Of no more use afterwards.
  void Abandon();

  // "rank 3 of 8 (GPU 3): OPERATION".
  std::string Where(std::string_view operation) const;

 private:
  explicit NcclCommunicator(const NcclOptions& options) : options_(options) {}
  absl::Status Settle(ncclResult_t result, std::string_view operation,
                      std::chrono::nanoseconds limit);
  void InThread(void (*end)(ncclComm_t)) const;

  const NcclOptions options_;
  ncclComm_t communicator_ = nullptr;
};

}  // namespace ltml::collective
