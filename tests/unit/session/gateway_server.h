#pragma once

#include <fmt/format.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>
#include <string>

#include "common/rpc/channel.h"
#include "coordinator/rpc/worker_gateway.h"

namespace ltml {

// A gateway on a TCP port of this machine, as in one life of a server.
class GatewayServer {
 public:
  // Port 0: the system chooses.
  explicit GatewayServer(int port, std::shared_ptr<grpc::ServerCredentials> credentials = nullptr)
      : gateway_(coordinator::WorkerGateway::Create()) {
    grpc::ServerBuilder builder;
    rpc::ConfigureServer(builder);
    if (credentials == nullptr) credentials = grpc::InsecureServerCredentials();
    builder.AddListeningPort(fmt::format("127.0.0.1:{}", port), credentials, &port_);
    builder.RegisterService(gateway_->service());
    server_ = builder.BuildAndStart();
  }
  ~GatewayServer() {
    gateway_->EndAll();
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(700));
    server_->Wait();
  }
  bool listens() const { return server_ != nullptr && port_ != 0; }
  int port() const { return port_; }
  std::string address() const { return fmt::format("127.0.0.1:{}", port_); }
  coordinator::WorkerGateway& gateway() { return *gateway_; }

 private:
  std::unique_ptr<coordinator::WorkerGateway> gateway_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace ltml
