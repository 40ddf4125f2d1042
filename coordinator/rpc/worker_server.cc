#include "coordinator/rpc/worker_server.h"

#include <fmt/format.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "common/base/status_macros.h"
#include "common/rpc/channel.h"

namespace ltml::coordinator {
namespace {

constexpr std::chrono::milliseconds kEndLimit{700};

class Server final : public WorkerServer {
 public:
  ~Server() override;

  absl::Status Listen(const std::string& address);
  WorkerGateway& gateway() override { return *gateway_; }

 private:
  const std::unique_ptr<WorkerGateway> gateway_ = WorkerGateway::Create();
  std::unique_ptr<grpc::Server> server_;
};

absl::Status Server::Listen(const std::string& address) {
  gateway_->Open();
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
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() + kEndLimit);
  server_->Wait();
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerServer>> WorkerServer::Start(const std::string& address) {
  auto server = std::make_unique<Server>();
  LTML_RETURN_IF_ERROR(server->Listen(address));
  return server;
}

}  // namespace ltml::coordinator
