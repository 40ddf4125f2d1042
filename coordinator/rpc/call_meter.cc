#include "coordinator/rpc/call_meter.h"

#include <array>
#include <chrono>
#include <optional>

namespace ltml::coordinator {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;
using Clock = std::chrono::steady_clock;

// Lives as long as its call.
class Stopwatch final : public Interceptor {
 public:
  Stopwatch(CallMeter& meter, std::string method) : meter_(meter), method_(std::move(method)) {}
  ~Stopwatch() override {
    const std::chrono::duration<double> took = Clock::now() - begin_;
    meter_.Add(method_, code_.value_or(grpc::StatusCode::CANCELLED), took.count());
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      code_ = methods->GetSendStatus().error_code();
    }
    methods->Proceed();
  }

 private:
  CallMeter& meter_;
  const std::string method_;
  const Clock::time_point begin_ = Clock::now();
  std::optional<grpc::StatusCode> code_;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(CallMeter& meter) : meter_(meter) {}
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new Stopwatch(meter_, info->method());  // gRPC's from here on
  }

 private:
  CallMeter& meter_;
};

}  // namespace

std::string CodeName(grpc::StatusCode code) {
  constexpr std::array kNames = {
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  const auto number = static_cast<size_t>(code);
  return number < kNames.size() ? kNames[number] : "Unknown";
}

CallMeter::Table CallMeter::table() const {
  const absl::MutexLock lock(&mutex_);
  return table_;
}

void CallMeter::Add(const std::string& full_method, grpc::StatusCode code, double seconds) {
  // "/ltml.v1.JobService/Submit"
  const size_t slash = full_method.rfind('/');
  const std::string service = full_method.substr(0, slash).substr(full_method[0] == '/' ? 1 : 0);
  const absl::MutexLock lock(&mutex_);
  Calls& calls = table_[{service, full_method.substr(slash + 1)}];
  ++calls.by_code[CodeName(code)];
  calls.durations.Add(seconds);
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> CallMeter::Interceptors() {
  return std::make_unique<Factory>(*this);
}

}  // namespace ltml::coordinator
