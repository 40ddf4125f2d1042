#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace ltml::rpc {

// The only place where errors cross gRPC: code, message, and google.rpc details (details.h) as the
// google.rpc.Status of "grpc-status-details-bin".  There and back gives the same status; every
// error leaves with an ErrorInfo.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace ltml::rpc
