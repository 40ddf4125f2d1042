#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/base/durations.h"

namespace ltml::coordinator {

// Counts the calls of a server as they end, by method and status, and how long they took; of a
// client that leaves the status is "Cancelled".  Thread-safe.
class CallMeter {
 public:
  struct Calls {
    std::map<std::string, int64_t> by_code;  // "OK", "NotFound"
    base::Durations durations{{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 60}};
  };
  // By service and method: "ltml.v1.JobService", "Submit".
  using Table = std::map<std::pair<std::string, std::string>, Calls>;
  Table table() const;
  void Add(const std::string& full_method, grpc::StatusCode code, double seconds);

  // To hand to a ServerBuilder; the meter must outlive the server.
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> Interceptors();

 private:
  mutable absl::Mutex mutex_;
  Table table_ ABSL_GUARDED_BY(mutex_);
};

// As gRPC's metrics call it: "NotFound" of NOT_FOUND.
std::string CodeName(grpc::StatusCode code);

}  // namespace ltml::coordinator
