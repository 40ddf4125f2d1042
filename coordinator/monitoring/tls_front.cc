#include "coordinator/monitoring/tls_front.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <thread>
#include <utility>

#include "common/base/address.h"
#include "common/base/descriptor.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "coordinator/monitoring/tls_relay.h"

namespace ltml::monitoring {
namespace {

using base::Descriptor;
using SslContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

absl::StatusOr<SslContext> ContextOf(const TlsFrontOptions& options) {
  SslContext context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  const bool good =
      context != nullptr && SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1 &&
      SSL_CTX_use_certificate_chain_file(context.get(), options.certificate.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context.get(), options.key.c_str(), SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_check_private_key(context.get()) == 1;
  if (good) return context;
  return absl::FailedPreconditionError(fmt::format(
      "cannot serve HTTPS with '{}' and '{}': they are no certificate in PEM with its key",
      options.certificate, options.key));
}

sockaddr_in AddressOf(in_addr host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = host;
  address.sin_port = htons(port);
  return address;
}

absl::Status CannotListen(const std::string& address, const char* why) {
  return absl::UnavailableError(
      fmt::format("cannot serve HTTPS on {}: {}; change `http` in ltmld.toml", address, why));
}

// Listens, and puts the port that was taken into `port`.
absl::StatusOr<Descriptor> Listen(const std::string& text, uint16_t* port) {
  const auto address = base::ParseAddress(text);
  in_addr host{};
  if (!address || ::inet_pton(AF_INET, address->host.c_str(), &host) != 1) {
    return CannotListen(text, "expected an IPv4 address and a port, as in 0.0.0.0:7611");
  }
  Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ::setsockopt(listener.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in bound = AddressOf(host, address->port);
  socklen_t size = sizeof bound;
  auto* generic = reinterpret_cast<sockaddr*>(&bound);
  if (::bind(listener.number(), generic, size) != 0 ||
      ::listen(listener.number(), SOMAXCONN) != 0 ||
      ::getsockname(listener.number(), generic, &size) != 0) {
    return CannotListen(text, std::strerror(errno));
  }
  *port = ntohs(bound.sin_port);
  return listener;
}

Descriptor Connect(uint16_t port) {
  Descriptor connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = AddressOf({.s_addr = htonl(INADDR_LOOPBACK)}, port);
  if (::connect(connection.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
      0) {
    return Descriptor();
  }
  return connection;
}

class Front final : public TlsFront {
 public:
  explicit Front(TlsFrontOptions options) : options_(std::move(options)) {}
  ~Front() override;
  absl::Status Start();
  const std::string& address() const override { return address_; }

 private:
  struct Worker {
    Descriptor client;
    std::atomic<bool> done = false;
    std::thread thread;
  };
  void Accept();
  void Take(Descriptor client);
  void Serve(int client) const;
  void JoinDone(bool all);

  const TlsFrontOptions options_;
  std::string address_;
  SslContext context_{nullptr, &SSL_CTX_free};
  Descriptor listener_;
  Descriptor end_{::eventfd(0, EFD_CLOEXEC)};
  std::atomic<bool> ending_ = false;
  std::list<Worker> workers_;  // of the accepting thread
  std::thread thread_;
};

absl::Status Front::Start() {
  LTML_ASSIGN_OR_RETURN(context_, ContextOf(options_));
  uint16_t port = 0;
  LTML_ASSIGN_OR_RETURN(listener_, Listen(options_.address, &port));
  address_ = fmt::format("{}:{}", options_.address.substr(0, options_.address.rfind(':')), port);
  thread_ = std::thread([this] { Accept(); });
  return absl::OkStatus();
}

Front::~Front() {
  ending_ = true;
  const uint64_t one = 1;
  const ssize_t told = ::write(end_.number(), &one, sizeof one);
  static_cast<void>(told);  // an eventfd at zero takes it
  if (thread_.joinable()) thread_.join();
}

void Front::Accept() {
  while (!ending_) {
    std::array<pollfd, 2> ready = {pollfd{listener_.number(), POLLIN, 0},
                                   pollfd{end_.number(), POLLIN, 0}};
    ::poll(ready.data(), ready.size(), -1);
    JoinDone(false);
    if (ready[0].revents == 0) continue;
    Descriptor client(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.number() >= 0) Take(std::move(client));
  }
  JoinDone(true);
}

void Front::Take(Descriptor client) {
  if (std::ssize(workers_) >= options_.most_connections) {
    base::Log(base::LogLevel::kDebug, "https_full", "connections={}", workers_.size());
    return;
  }
  Worker& worker = workers_.emplace_back();
  worker.client = std::move(client);
  worker.thread = std::thread([this, &worker] {
    Serve(worker.client.number());
    ::shutdown(worker.client.number(), SHUT_RDWR);  // it is closed when the thread is joined
    worker.done = true;
  });
}

void Front::Serve(int client) const {
  const Descriptor target = Connect(options_.target_port);
  if (target.number() < 0) return;
  RelayTls(context_.get(), client, target.number(), ending_);
}

void Front::JoinDone(bool all) {
  for (auto worker = workers_.begin(); worker != workers_.end();) {
    if (!all && !worker->done) {
      ++worker;
      continue;
    }
    // So that none waits for its client.
    ::shutdown(worker->client.number(), SHUT_RDWR);
    worker->thread.join();
    worker = workers_.erase(worker);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsFront>> TlsFront::Start(TlsFrontOptions options) {
  auto front = std::make_unique<Front>(std::move(options));
  LTML_RETURN_IF_ERROR(front->Start());
  return front;
}

}  // namespace ltml::monitoring
