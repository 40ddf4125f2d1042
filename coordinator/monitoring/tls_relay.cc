#include "coordinator/monitoring/tls_relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <chrono>
#include <memory>

namespace ltml::monitoring {
namespace {

constexpr timeval kPieceLimit{.tv_sec = 5, .tv_usec = 0};
constexpr std::chrono::seconds kWholeLimit(30);
constexpr int kPollMs = 1000;

using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;

bool WriteAll(int to, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = ::send(to, data, size, MSG_NOSIGNAL);
    if (written <= 0) return false;
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

class Relay {
 public:
  Relay(SSL_CTX* context, int client, int target, const std::atomic<bool>& ending)
      : client_(client), target_(target), ending_(ending), ssl_(SSL_new(context), &SSL_free) {
    for (const int socket : {client, target}) {
      ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kPieceLimit, sizeof kPieceLimit);
      ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kPieceLimit, sizeof kPieceLimit);
    }
    SSL_set_fd(ssl_.get(), client);
  }

  void Run() {
    if (SSL_accept(ssl_.get()) != 1) return;
    const auto end = std::chrono::steady_clock::now() + kWholeLimit;
    while (!ending_ && std::chrono::steady_clock::now() < end && Pass()) {
    }
    SSL_shutdown(ssl_.get());
  }

 private:
  // False at the end of either side.
  bool Pass() {
    std::array<pollfd, 2> ready = {pollfd{client_, POLLIN, 0}, pollfd{target_, POLLIN, 0}};
    const bool pending = SSL_pending(ssl_.get()) > 0;
    ::poll(ready.data(), ready.size(), pending ? 0 : kPollMs);
    if ((pending || ready[0].revents != 0) && !ToTarget()) return false;
    return ready[1].revents == 0 || ToClient();
  }
  bool ToTarget() {
    const int got = SSL_read(ssl_.get(), buffer_.data(), static_cast<int>(buffer_.size()));
    if (got > 0) return WriteAll(target_, buffer_.data(), static_cast<size_t>(got));
    return SSL_get_error(ssl_.get(), got) == SSL_ERROR_WANT_READ;
  }
  bool ToClient() {
    const ssize_t got = ::recv(target_, buffer_.data(), buffer_.size(), 0);
    return got > 0 && SSL_write(ssl_.get(), buffer_.data(), static_cast<int>(got)) > 0;
  }

  const int client_, target_;
  const std::atomic<bool>& ending_;
  const Ssl ssl_;
  std::array<char, 16384> buffer_{};
};

}  // namespace

void RelayTls(SSL_CTX* context, int client, int target, const std::atomic<bool>& ending) {
  Relay(context, client, target, ending).Run();
}

}  // namespace ltml::monitoring
