#include "coordinator/launch/hosts.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "common/base/host_name.h"

namespace ltml::launch {
namespace {

constexpr size_t kLongestName = 253;

std::string TextOf(const sockaddr* address) {
  if (address == nullptr || address->sa_family != AF_INET) return "";
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  return text;
}

std::vector<std::string> OwnAddresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  std::vector<std::string> result;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (std::string text = TextOf(entry->ifa_addr); !text.empty()) result.push_back(text);
  }
  return result;
}

std::vector<std::string> AddressesOf(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) return {};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  std::vector<std::string> result;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    result.push_back(TextOf(entry->ai_addr));
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
  const std::vector<std::string> own = OwnAddresses();
  return std::ranges::any_of(AddressesOf(address), [&](const std::string& candidate) {
    return std::ranges::find(own, candidate) != own.end();
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
