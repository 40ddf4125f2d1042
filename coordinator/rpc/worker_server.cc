#include "coordinator/rpc/worker_server.h"

#include <fmt/format.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "common/base/status_macros.h"
#include "common/base/token_digest.h"
#include "common/rpc/channel.h"

namespace ltml::coordinator {
namespace {

constexpr std::chrono::milliseconds kEndLimit{700};

class Server final : public WorkerServer {
 public:
  ~Server() override;

  absl::Status Start(const WorkerServerOptions& options);
  void SendCommand(v1::Command::Kind kind) override { sessions_->SendCommand(kind); }
  std::vector<streams::RankView> Ranks() const override { return sessions_->Ranks(); }
  std::optional<v1::Failure> ProtocolFailure() const override {
    return sessions_->ProtocolFailure();
  }
  statistics::DecayedTotals LatestTotals() const override { return sessions_->LatestTotals(); }

 private:
  absl::Status Listen(const std::string& address);

  const std::unique_ptr<WorkerGateway> gateway_ = WorkerGateway::Create();
  std::unique_ptr<AttemptSessions> sessions_;
  std::unique_ptr<grpc::Server> server_;
};

absl::Status Server::Start(const WorkerServerOptions& options) {
  AttemptSessionsOptions sessions;
  sessions.job_id = options.job_id;
  sessions.attempt = options.attempt;
  sessions.training = options.training;
  sessions.token_sha256 = base::TokenDigest(options.token);
  sessions.lease = options.lease;
  sessions.events = options.events;
  LTML_ASSIGN_OR_RETURN(sessions_, gateway_->Add(std::move(sessions)));
  gateway_->Open();
  return Listen(options.address);
}

absl::Status Server::Listen(const std::string& address) {
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(builder);
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(gateway_->service());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    return absl::UnavailableError(fmt::format(
        "the coordinator cannot listen on {}: the address is taken, its folder is missing, or a "
        "socket's path is longer than 107 bytes",
        address));
  }
  return absl::OkStatus();
}

Server::~Server() {
  gateway_->EndAll();
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now() + kEndLimit);
    server_->Wait();
  }
  sessions_.reset();
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerServer>> WorkerServer::Start(
    const WorkerServerOptions& options) {
  auto server = std::make_unique<Server>();
  LTML_RETURN_IF_ERROR(server->Start(options));
  return server;
}

}  // namespace ltml::coordinator
