#include "common/examine/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <vector>

#include "common/base/address.h"
#include "common/base/connect.h"
#include "common/base/descriptor.h"
#include "common/base/network.h"
#include "common/base/system.h"
#include "common/examine/finding.h"

namespace ltml::examine {
namespace {

constexpr std::chrono::seconds kConnectLimit(5);

bool Fits(const base::Interface& interface, const std::string& wanted) {
  const auto network = base::ParseNetwork(wanted);
  return network ? network->Contains(interface.address) : interface.name == wanted;
}

std::string Names(const std::vector<base::Interface>& interfaces) {
  std::set<std::string> names;
  for (const base::Interface& interface : interfaces) names.insert(interface.name);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

v1::Finding CheckInterfaces(std::span<const std::string> wanted) {
  std::vector<base::Interface> there = base::Interfaces();
  for (const std::string& one : wanted) {
    if (std::ranges::any_of(there, [&](const auto& entry) { return Fits(entry, one); })) continue;
    return Fault("network", fmt::format("no interface is {}; there are: {}", one, Names(there)),
                 "correct launch.interfaces in ltmld.toml; a network, as in \"10.0.0.0/8\", fits "
                 "interfaces of different names");
  }
  if (!wanted.empty()) return Ok("network", fmt::format("{}", fmt::join(wanted, ", ")));
  std::erase_if(there, [](const base::Interface& entry) { return entry.loopback; });
  if (!there.empty()) return Ok("network", Names(there));
  return Warning("network", "no interface but loopback has an IPv4 address",
                 "without one ranks run on this machine only");
}

v1::Finding CheckLoopback() {
  const base::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (socket.open() &&
      ::bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return Ok("ports", "a TCP port on 127.0.0.1 is free");
  }
  return Fault("ports",
               fmt::format("no TCP port on 127.0.0.1 can be taken: {}", base::Reason(errno)),
               "bring the loopback interface up: ip link set lo up");
}

v1::Finding CheckConnection(const std::string& subject, const std::string& address) {
  const auto target = base::ParseAddress(address);
  const absl::Status connected = target ? base::ConnectTo(*target, kConnectLimit).status()
                                        : absl::InvalidArgumentError("that is no address");
  if (connected.ok()) return Ok(subject, fmt::format("{} takes connections", address));
  return Fault(subject,
               fmt::format("{} cannot be reached: {}", address, std::string(connected.message())),
               "let `advertise` in ltmld.toml name an address that this host reaches, and open its "
               "port");
}

}  // namespace ltml::examine
