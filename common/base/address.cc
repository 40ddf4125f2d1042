#include "common/base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

#include "common/base/host_name.h"

namespace ltml::base {
namespace {

constexpr std::string_view kUnix = "unix:";

std::optional<in_addr> ParseIpv4(const std::string& host) {
  in_addr address{};
  if (::inet_pton(AF_INET, host.c_str(), &address) != 1) return std::nullopt;
  return address;
}

std::optional<in6_addr> ParseIpv6(const std::string& host) {
  in6_addr address{};
  if (::inet_pton(AF_INET6, host.c_str(), &address) != 1) return std::nullopt;
  return address;
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || stop != end) return std::nullopt;
  return port;
}

std::optional<std::string> ParseHost(std::string_view text) {
  const bool brackets = text.starts_with('[') && text.ends_with(']');
  const std::string host(brackets ? text.substr(1, text.size() - 2) : text);
  const bool valid = brackets ? ParseIpv6(host).has_value() : IsHostName(host);
  return valid ? std::optional(host) : std::nullopt;
}

bool IsSame(const in6_addr& a, const in6_addr& b) {
  return std::ranges::equal(a.s6_addr, b.s6_addr);
}

}  // namespace

std::optional<Address> ParseAddress(std::string_view text) {
  if (text.find('\0') != text.npos) return std::nullopt;
  if (text.starts_with(kUnix)) {
    if (text == kUnix) return std::nullopt;
    return Address{.path = std::string(text.substr(kUnix.size()))};
  }
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  const std::optional<std::string> host = ParseHost(text.substr(0, colon));
  const std::optional<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!host || !port) return std::nullopt;
  return Address{.host = *host, .port = *port};
}

bool IsLocal(const Address& address) {
  if (!address.path.empty() || address.host == "localhost") return true;
  if (const auto ipv4 = ParseIpv4(address.host)) return ntohl(ipv4->s_addr) >> 24 == IN_LOOPBACKNET;
  const auto ipv6 = ParseIpv6(address.host);
  return ipv6 && IsSame(*ipv6, in6addr_loopback);
}

bool IsAnyInterface(const Address& address) {
  if (const auto ipv4 = ParseIpv4(address.host)) return ipv4->s_addr == INADDR_ANY;
  const auto ipv6 = ParseIpv6(address.host);
  return ipv6 && IsSame(*ipv6, in6addr_any);
}

}  // namespace ltml::base
