#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace ltml::rpc {

// The one table between our statuses and gRPC's: codes correspond by name, the message is kept.
// Codes outside the table become UNKNOWN and name the number.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace ltml::rpc
