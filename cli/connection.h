#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/context.h"
#include "common/rpc/credentials.h"
#include "common/rpc/status.h"
#include "ltml/v1/job_service.grpc.pb.h"
#include "ltml/v1/pool_service.grpc.pb.h"

namespace ltml::cli {

// Options of all commands that speak to a server.
struct ServerOptions {
  std::string config;  // --config
  std::string server;  // --server
};

// How long commands wait.
struct Patience {
  std::chrono::nanoseconds call = std::chrono::seconds(30);   // for one answer
  std::chrono::nanoseconds retry = std::chrono::seconds(10);  // with calls that may be repeated
  std::chrono::nanoseconds away = std::chrono::seconds(60);   // for a stream to come back
};

// Adds a command with --server and --config (see AddCommand).
CLI::App* AddServerCommand(CLI::App& parent, const std::string& name,
                           const std::string& description, const std::string& example,
                           const std::shared_ptr<ServerOptions>& options);

// A server as a client.toml tells it: of --config, LTML_CONFIG, or ltml/client.toml in the user's
// configuration folder; its address of --server or LTML_SERVER when given.
class Connection {
 public:
  // InvalidArgument for a client.toml with faults, NotFound for none where the address needs one,
  // FailedPrecondition for credentials that are no good.  Does not connect yet.
  static absl::StatusOr<std::shared_ptr<Connection>> Open(const ServerOptions& options,
                                                          const Patience& patience = {});

  // A call to its end, which is tried again while the server is not to be reached: calls may be
  // repeated.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::JobService::Stub::*method)(grpc::ClientContext*,
                                                                             const Request&,
                                                                             Response*),
                                const Request& request) {
    return Run<Response>([&](grpc::ClientContext* context, Response* response) {
      return (jobs_.get()->*method)(context, request, response);
    });
  }
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::PoolService::Stub::*method)(grpc::ClientContext*,
                                                                              const Request&,
                                                                              Response*),
                                const Request& request) {
    return Run<Response>([&](grpc::ClientContext* context, Response* response) {
      return (pool_.get()->*method)(context, request, response);
    });
  }

  v1::JobService::Stub& jobs() { return *jobs_; }
  // Adds what identifies user and request.
  void Prepare(grpc::ClientContext& context) const;
  // As the user should read it: where the server is, and the request's id.
  absl::Status Explain(const grpc::Status& status, const grpc::ClientContext& context) const;
  const std::string& server() const { return server_; }
  const Patience& patience() const { return patience_; }

 private:
  explicit Connection(const Patience& patience) : patience_(patience) {}

  using Attempt = std::function<grpc::Status(grpc::ClientContext*)>;
  absl::Status RunCall(const Attempt& attempt) const;
  template <typename Response, typename Function>
  absl::StatusOr<Response> Run(const Function& function) const {
    Response response;
    const absl::Status status = RunCall([&](grpc::ClientContext* context) {
      response.Clear();
      return function(context, &response);
    });
    if (!status.ok()) return status;
    return response;
  }

  // Where TLS is to blame for it that the server cannot be reached, why; OK otherwise.
  absl::Status CheckTls() const;

  const Patience patience_;
  std::string server_;
  rpc::TlsFiles tls_;
  std::string token_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::PoolService::Stub> pool_;
};

// "jobs/ID" of "ID" or "jobs/ID".
std::string JobName(const std::string& id);

}  // namespace ltml::cli
