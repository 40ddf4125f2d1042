#pragma once

#include <memory>
#include <string>

#include "coordinator/jobs/job_store.h"
#include "coordinator/rpc/worker_gateway.h"
#include "coordinator/service/attempt_runner.h"
#include "ltml/v1/server_config.pb.h"

namespace ltml::coordinator {

struct ServiceRunnerOptions {
  v1::ServerConfig config;
  WorkerGateway* gateway = nullptr;  // must outlive all attempts
  jobs::JobStore* store = nullptr;   // must outlive all attempts; holds their journals
  std::string authority;             // PEM, by which ranks know the server; empty: plaintext
};

// Attempts of the service: each on a thread of its own, in RUN/attempts/EPOCH, with processes that
// outlive the server and sessions whose journal is in the store.
class ServiceRunner : public service::AttemptRunner {
 public:
  static std::unique_ptr<ServiceRunner> Create(ServiceRunnerOptions options);
  // Where ranks find the server.  To be called before the first Start.
  virtual void SetAddress(const std::string& address) = 0;
};

}  // namespace ltml::coordinator
