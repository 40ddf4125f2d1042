#include "coordinator/rpc/worker_server.h"

#include <fmt/format.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <thread>

#include "absl/time/time.h"
#include "common/rpc/channel.h"
#include "coordinator/rpc/attempt_service.h"

namespace ltml::coordinator {
namespace {

constexpr std::chrono::seconds kLongestPause{5};
constexpr std::chrono::milliseconds kShortestPause{20};
constexpr int kKeepAlivesPerLease = 5;
constexpr std::chrono::milliseconds kEndLimit{700};

class Server final : public WorkerServer {
 public:
  explicit Server(const WorkerServerOptions& options)
      : service_(options),
        pause_(std::clamp<std::chrono::nanoseconds>(options.lease / kKeepAlivesPerLease,
                                                    kShortestPause, kLongestPause)) {}
  ~Server() override;

  absl::Status Listen(const std::string& address);
  void SendCommand(v1::Command::Kind kind) override { service_.SendCommand(kind); }
  std::vector<streams::RankView> Ranks() const override { return service_.Ranks(); }
  std::optional<v1::Failure> ProtocolFailure() const override { return service_.ProtocolFailure(); }
  statistics::DecayedTotals LatestTotals() const override { return service_.LatestTotals(); }

 private:
  void KeepAliveLoop();

  AttemptService service_;
  const std::chrono::nanoseconds pause_;
  std::unique_ptr<grpc::Server> server_;
  absl::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread keep_alive_;
};

absl::Status Server::Listen(const std::string& address) {
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(builder);
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    return absl::UnavailableError(fmt::format(
        "the coordinator cannot listen on {}: the address is taken, its folder is missing, or a "
        "socket's path is longer than 107 bytes",
        address));
  }
  keep_alive_ = std::thread([this] { KeepAliveLoop(); });
  return absl::OkStatus();
}

void Server::KeepAliveLoop() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&ending_), absl::FromChrono(pause_))) return;
    }
    service_.SendKeepAlives();
  }
}

Server::~Server() {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  if (keep_alive_.joinable()) keep_alive_.join();
  if (server_ == nullptr) return;
  service_.EndAll();
  server_->Shutdown(std::chrono::system_clock::now() + kEndLimit);
  server_->Wait();
  service_.AwaitNoStreams(absl::FromChrono(kEndLimit));
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerServer>> WorkerServer::Start(
    const WorkerServerOptions& options) {
  auto server = std::make_unique<Server>(options);
  if (absl::Status listening = server->Listen(options.address); !listening.ok()) return listening;
  return server;
}

}  // namespace ltml::coordinator
