#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

namespace ltml::coordinator {

// gRPC answers a request that is no message of its method with UNIMPLEMENTED and no word; from now
// on it is InvalidArgument, and says so.
// Of several interceptors it comes first, so that the others see its status.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> ExplainMalformedRequests();

}  // namespace ltml::coordinator
