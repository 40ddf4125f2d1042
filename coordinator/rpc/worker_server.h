#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/rpc/worker_gateway.h"

namespace ltml::coordinator {

// A WorkerGateway, open, on a plaintext server of its own: for one attempt on this machine.
class WorkerServer {
 public:
  // `address`: "unix:/...", in a folder of mode 0700.  Unavailable when it cannot be listened on.
  static absl::StatusOr<std::unique_ptr<WorkerServer>> Start(const std::string& address);
  virtual ~WorkerServer() = default;  // ends all sessions within a second
  virtual WorkerGateway& gateway() = 0;
};

}  // namespace ltml::coordinator
