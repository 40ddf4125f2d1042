#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <functional>
#include <memory>
#include <string>

#include "coordinator/rpc/host_examiner.h"
#include "coordinator/security/audit.h"
#include "coordinator/security/identity.h"
#include "coordinator/security/rate_limit.h"
#include "coordinator/service/job_manager.h"

namespace ltml::coordinator {

struct JobApiOptions {
  service::JobManager* manager = nullptr;
  const security::Directory* directory = nullptr;
  security::RateLimit* limit = nullptr;
  security::AuditLog* audit = nullptr;
  HostExaminer* examiner = nullptr;
  bool insecure = false;  // the listener is plaintext
  // What GetView answers.
  std::function<absl::StatusOr<v1::RunView>(const std::string& job)> view;
};

// JobService and PoolService: identify, check, convert, call the manager, translate.  Every call
// has a request id ("x-request-id", or minted), which is in the trailing metadata, the audit log
// and the log lines of the call.  Everything in the options must outlive the services.
class JobApi {
 public:
  static std::unique_ptr<JobApi> Create(const JobApiOptions& options);
  virtual ~JobApi() = default;
  virtual grpc::Service* job_service() = 0;
  virtual grpc::Service* pool_service() = 0;
  // Ends open Watch and Logs streams with UNAVAILABLE; to be called before the server's Shutdown.
  virtual void EndStreams() = 0;
};

}  // namespace ltml::coordinator
