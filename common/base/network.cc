#include "common/base/network.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "absl/strings/ascii.h"

namespace ltml::base {
namespace {

constexpr int kAddressBits = 32;

}  // namespace

bool Network::Contains(uint32_t other) const {
  const uint32_t mask = bits == 0 ? 0 : ~uint32_t{0} << (kAddressBits - bits);
  return (address & mask) == (other & mask);
}

std::optional<Network> ParseNetwork(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const std::string_view digits = text.substr(slash + 1);
  Network network;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, network.bits);
  const bool number = error == std::errc() && stop == end && absl::ascii_isdigit(digits[0]);
  in_addr address{};
  if (!number || network.bits > kAddressBits ||
      ::inet_pton(AF_INET, std::string(text.substr(0, slash)).c_str(), &address) != 1) {
    return std::nullopt;
  }
  network.address = ntohl(address.s_addr);
  return network;
}

bool IsInterfaceName(std::string_view text) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(c) || std::string_view("-_.:").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() < IFNAMSIZ && absl::ascii_isalnum(text[0]) &&
         std::ranges::all_of(text, allowed);
}

std::vector<Interface> Interfaces() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  std::vector<Interface> result;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET ||
        (entry->ifa_flags & IFF_UP) == 0) {
      continue;
    }
    const auto& address = *reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
    result.push_back({.name = entry->ifa_name,
                      .address = ntohl(address.sin_addr.s_addr),
                      .loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0});
  }
  return result;
}

}  // namespace ltml::base
