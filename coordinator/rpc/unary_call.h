#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/rpc/call_context.h"
#include "coordinator/rpc/request_checks.h"

namespace ltml::coordinator {

// One unary call: lives until gRPC is done with it, and finishes once.  A client that goes away
// changes nothing: what it asked for is done and finished as if it were there.
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  static std::shared_ptr<UnaryCall> Create(CallEnvironment& environment, const Method& method,
                                           grpc::CallbackServerContext& context) {
    std::shared_ptr<UnaryCall> call(new UnaryCall(environment, method, context));
    call->self_ = call;
    return call;
  }

  // Admits the caller and checks the request; false: the call is finished with the error.
  template <typename Request>
  bool Begin(const Request& request, std::string_view subject) {
    call_.set_subject(subject);
    absl::Status status = call_.Admit();
    if (status.ok()) status = Check(request);
    if (!status.ok()) End(status);
    return status.ok();
  }

  void End(const absl::Status& status) { Finish(call_.Conclude(status)); }

  template <typename Response>
  void End(absl::StatusOr<Response> result, Response* response) {
    const absl::Status status = result.status();
    if (status.ok()) *response = *std::move(result);
    End(status);
  }

  // For a manager's `done`.  Dropped without a call, it ends the call with UNAVAILABLE.
  template <typename Response>
  std::function<void(absl::StatusOr<Response>)> Done(Response* response) {
    const auto pending = std::make_shared<Pending>(self_);
    return [pending, response](absl::StatusOr<Response> result) {
      const auto call = std::exchange(pending->call, nullptr);
      if (call == nullptr) return;
      if constexpr (requires { result->name(); }) {
        if (result.ok()) call->call_.set_subject(result->name());
      }
      call->End(std::move(result), response);
    };
  }

  service::Actor actor() const { return call_.actor(); }

 private:
  struct Pending {
    explicit Pending(std::shared_ptr<UnaryCall> waiting) : call(std::move(waiting)) {}
    ~Pending() {
      if (call != nullptr) call->End(absl::UnavailableError("the server ends; ask again"));
    }
    std::shared_ptr<UnaryCall> call;
  };

  UnaryCall(CallEnvironment& environment, const Method& method,
            grpc::CallbackServerContext& context)
      : call_(environment, method, context) {}
  void OnDone() override { const auto self = std::move(self_); }

  CallContext call_;
  std::shared_ptr<UnaryCall> self_;  // shared: gRPC and the manager's callback both hold a call
};

}  // namespace ltml::coordinator
