#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ltml::base {

// Where a server listens or is reached.
struct Address {
  std::string host = "";  // a name or IP address, without brackets; empty for a Unix socket
  uint16_t port = 0;
  std::string path = "";  // of a Unix socket; empty otherwise
};

// "HOST:PORT", "[IPV6]:PORT" or "unix:PATH"; nullopt for anything else.
std::optional<Address> ParseAddress(std::string_view text);

// Whether only this machine reaches it: a Unix socket, 127.0.0.0/8, ::1 or localhost.  Of a name
// only its text counts; nothing is resolved.
bool IsLocal(const Address& address);

// 0.0.0.0 and ::, which a server may listen on but nobody can connect to from another machine.
bool IsAnyInterface(const Address& address);

}  // namespace ltml::base
