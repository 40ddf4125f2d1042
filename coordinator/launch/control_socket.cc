#include "coordinator/launch/control_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/system.h"

namespace ltml::launch {
namespace {

constexpr size_t kLongestReason = 1000;
constexpr size_t kLongestLine = 4096;
constexpr size_t kMostAdopters = 32;
constexpr std::string_view kStop = "stop ";
constexpr std::string_view kStopNow = "stop-now ";

bool Fill(sockaddr_un& address, const std::filesystem::path& path) {
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) return false;
  std::strcpy(address.sun_path, path.c_str());
  return true;
}

base::Descriptor UnixSocket() {
  return base::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void Merge(std::optional<StopRequest>& into, StopRequest request) {
  if (!into || (request.at_once && !into->at_once)) into = std::move(request);
}

}  // namespace

std::string StopLine(const StopRequest& request) {
  std::string reason = request.reason.substr(0, kLongestReason);
  std::ranges::replace(reason, '\n', ' ');
  return fmt::format("{}{}\n", request.at_once ? kStopNow : kStop, reason);
}

std::optional<StopRequest> ParseStopLine(std::string_view line) {
  for (const std::string_view word : {kStop, kStopNow}) {
    if (!line.starts_with(word)) continue;
    return StopRequest{std::string(line.substr(word.size())), word == kStopNow};
  }
  return std::nullopt;
}

absl::Status ControlSocket::Listen(const std::filesystem::path& path) {
  sockaddr_un address{};
  listener_ = UnixSocket();
  // Nobody reaches it before its mode is set: the folder is this user's alone.
  if (!Fill(address, path) || !listener_.open() ||
      ::bind(listener_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
          0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(listener_.number(), kMostAdopters) != 0) {
    return absl::InternalError(
        fmt::format("cannot listen at '{}': {}", path.string(), base::Reason(errno)));
  }
  return absl::OkStatus();
}

void ControlSocket::AddTo(std::vector<pollfd>& entries) const {
  entries.push_back({owner_.descriptor.number(), POLLIN, 0});
  entries.push_back({listener_.number(), POLLIN, 0});
  for (const Stream& stream : adopters_) {
    entries.push_back({stream.descriptor.number(), POLLIN, 0});
  }
}

void ControlSocket::Accept() {
  while (listener_.open()) {
    base::Descriptor stream(
        ::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!stream.open()) return;
    if (adopters_.size() < kMostAdopters) adopters_.push_back({.descriptor = std::move(stream)});
  }
}

void ControlSocket::Receive(Stream& stream, std::optional<StopRequest>& request) {
  std::array<char, kLongestLine> buffer;
  while (stream.descriptor.open()) {
    const ssize_t count =
        ::recv(stream.descriptor.number(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count > 0) stream.text.append(buffer.data(), static_cast<size_t>(count));
    for (size_t end = stream.text.find('\n'); end != std::string::npos;
         end = stream.text.find('\n')) {
      if (auto parsed = ParseStopLine(std::string_view(stream.text).substr(0, end))) {
        Merge(request, *std::move(parsed));
      }
      stream.text.erase(0, end + 1);
    }
    if (count <= 0 || stream.text.size() > kLongestLine) stream.descriptor.Close();
  }
}

std::optional<StopRequest> ControlSocket::Read() {
  std::optional<StopRequest> request;
  const bool owned = owner_.descriptor.open();
  Receive(owner_, request);
  if (owned && !owner_.descriptor.open() && !owner_may_go_ && !request) {
    request = {"the program that started the attempt is gone", true};
  }
  Accept();
  for (Stream& stream : adopters_) Receive(stream, request);
  std::erase_if(adopters_, [](const Stream& stream) { return !stream.descriptor.open(); });
  return request;
}

void ControlSocket::Tell(std::string_view line) {
  const std::string text = fmt::format("{}\n", line);
  [[maybe_unused]] const ssize_t sent =
      ::send(owner_.descriptor.number(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

base::Descriptor ConnectControl(const std::filesystem::path& path) {
  sockaddr_un address{};
  base::Descriptor stream = UnixSocket();
  if (!Fill(address, path) || !stream.open() ||
      ::connect(stream.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
          0) {
    return {};
  }
  return stream;
}

}  // namespace ltml::launch
