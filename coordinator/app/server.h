#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ltml/v1/server_config.pb.h"

namespace ltml::coordinator {

// The whole of ltmld behind its command line: store, manager, sessions, and the gRPC server with
// JobService, PoolService, WorkerService, health and reflection, and the HTTP server with metrics
// and pages.
class Server {
 public:
  // Everything is checked and loaded, attempts that run are adopted, and the address is listened
  // on; health is SERVING.  FailedPrecondition: another ltmld has the store; Unavailable: the
  // address is taken; InvalidArgument, NotFound, DataLoss, Internal with the cure.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const v1::ServerConfig& config);
  // Health NOT_SERVING, streams ended with UNAVAILABLE, calls under way finished, attempts left to
  // their supervisors.
  virtual ~Server() = default;
  // HOST:PORT or unix:PATH, with the port that the system chose for port 0.
  virtual const std::string& address() const = 0;
  // HOST:PORT of metrics and pages, likewise; empty: they are not served.
  virtual const std::string& http_address() const = 0;
};

}  // namespace ltml::coordinator
