#include "coordinator/rpc/malformed_requests.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "common/base/log.h"
#include "common/rpc/status.h"

namespace ltml::coordinator {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

class Explainer final : public grpc::experimental::Interceptor {
 public:
  explicit Explainer(std::string method) : method_(std::move(method)) {}

  void Intercept(InterceptorBatchMethods* call) override {
    if (call->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      const grpc::Status status = call->GetSendStatus();
      // Ours always say why.
      if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED &&
          status.error_message().empty()) {
        call->ModifySendStatus(Malformed());
      }
    }
    call->Proceed();
  }

 private:
  grpc::Status Malformed() const {
    base::Log(base::LogLevel::kInfo, "malformed_request", "method={}", base::LogValue(method_));
    return rpc::ToGrpc(
        absl::InvalidArgumentError(fmt::format("the bytes of the request are no message of {}; was "
                                               "the client made from other .proto files?",
                                               method_)));
  }

  const std::string method_;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  // Streams that are read as they come judge their messages themselves.
  grpc::experimental::Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    const bool one_request = info->type() == ServerRpcInfo::Type::UNARY ||
                             info->type() == ServerRpcInfo::Type::SERVER_STREAMING;
    return one_request ? new Explainer(info->method()) : nullptr;
  }
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> ExplainMalformedRequests() {
  return std::make_unique<Factory>();
}

}  // namespace ltml::coordinator
