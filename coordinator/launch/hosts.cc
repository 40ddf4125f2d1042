#include "coordinator/launch/hosts.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "common/base/host_name.h"
#include "common/base/network.h"

namespace ltml::launch {
namespace {

constexpr size_t kLongestName = 253;

// IPv4, in the host's byte order.
std::vector<uint32_t> AddressesOf(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) return {};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  std::vector<uint32_t> result;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    const auto& address = *reinterpret_cast<const sockaddr_in*>(entry->ai_addr);
    result.push_back(ntohl(address.sin_addr.s_addr));
  }
  return result;
}

}  // namespace

absl::Status CheckAddress(std::string_view address) {
  const bool good = !address.empty() && address.size() <= kLongestName &&
                    absl::ascii_isalnum(address.front()) && absl::ascii_isalnum(address.back()) &&
                    std::ranges::all_of(address, [](char character) {
                      return absl::ascii_isalnum(character) || character == '.' || character == '-';
                    });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("'{}' is no host address: write a host name or an IPv4 address",
                  address.substr(0, kLongestName)));
}

bool IsThisMachine(const std::string& address) {
  if (address == "localhost" || address == base::HostName()) return true;
  const std::vector<base::Interface> own = base::Interfaces();
  return std::ranges::any_of(AddressesOf(address), [&](uint32_t candidate) {
    return std::ranges::find(own, candidate, &base::Interface::address) != own.end();
  });
}

std::vector<std::string> RemoteAddresses(const v1::LaunchPlan& plan) {
  std::vector<std::string> result;
  for (const v1::LaunchPlan::Host& host : plan.hosts()) {
    if (!host.remote() || std::ranges::find(result, host.address()) != result.end()) continue;
    result.push_back(host.address());
  }
  return result;
}

int RankCount(const v1::LaunchPlan& plan) {
  int ranks = 0;
  for (const v1::LaunchPlan::Host& host : plan.hosts()) ranks += host.ranks();
  return ranks;
}

std::string HostFile(const v1::LaunchPlan& plan, const std::string& own_name) {
  std::string text;
  for (const v1::LaunchPlan::Host& host : plan.hosts()) {
    const std::string& name = host.remote() ? host.address() : own_name;
    for (int rank = 0; rank < host.ranks(); ++rank) text += name + "\n";
  }
  return text;
}

}  // namespace ltml::launch
