#pragma once

#include <grpcpp/server_builder.h>

namespace ltml::coordinator {

// gRPC answers a request that is no message of its method with UNIMPLEMENTED and no word; from now
// on it is InvalidArgument, and says so.
void ExplainMalformedRequests(grpc::ServerBuilder& builder);

}  // namespace ltml::coordinator
