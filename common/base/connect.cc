#include "common/base/connect.h"

#include <errno.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "common/base/system.h"

namespace ltml::base {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

absl::Status Failed(int error) { return absl::UnavailableError(Reason(error)); }

// Until a connection that is under way is there.
absl::Status Await(const Descriptor& socket, std::chrono::nanoseconds limit,
                   Clock::time_point deadline) {
  pollfd entry{socket.number(), POLLOUT, 0};
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
  if (::poll(&entry, 1, static_cast<int>(std::max<int64_t>(left, 0))) <= 0) {
    return absl::UnavailableError(
        fmt::format("no answer within {:.3g} s", std::chrono::duration<double>(limit).count()));
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? absl::OkStatus() : Failed(error);
}

absl::StatusOr<Descriptor> Connect(const sockaddr* address, socklen_t size,
                                   std::chrono::nanoseconds limit, Clock::time_point deadline) {
  Descriptor socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.open()) return Failed(errno);
  if (::connect(socket.number(), address, size) == 0) return socket;
  if (errno != EINPROGRESS) return Failed(errno);
  if (absl::Status status = Await(socket, limit, deadline); !status.ok()) return status;
  return socket;
}

absl::StatusOr<Descriptor> ConnectSocket(const std::string& path, std::chrono::nanoseconds limit) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Failed(ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  return Connect(reinterpret_cast<const sockaddr*>(&address), sizeof address, limit,
                 Clock::now() + limit);
}

}  // namespace

absl::StatusOr<Descriptor> ConnectTo(const Address& address, std::chrono::nanoseconds limit) {
  if (!address.path.empty()) return ConnectSocket(address.path, limit);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &list);
  if (error != 0) return absl::UnavailableError(::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  const auto deadline = Clock::now() + limit;
  absl::StatusOr<Descriptor> connected = absl::UnavailableError("the name has no address");
  for (const addrinfo* entry = list; entry != nullptr && !connected.ok(); entry = entry->ai_next) {
    connected = Connect(entry->ai_addr, entry->ai_addrlen, limit, deadline);
  }
  return connected;
}

}  // namespace ltml::base
