#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ltml::base {

// An IPv4 network; addresses are in the host's byte order.
struct Network {
  uint32_t address = 0;
  int bits = 32;  // of the address that count

  bool Contains(uint32_t other) const;
};

// "10.0.0.0/8"; nullopt for anything else.
std::optional<Network> ParseNetwork(std::string_view text);

// What the kernel takes for an interface's name and a list of names can hold: 1 to 15 letters,
// digits, '-', '_', '.' and ':', the first a letter or digit.
bool IsInterfaceName(std::string_view text);

// An IPv4 address of an interface of this machine that is up.
struct Interface {
  std::string name;
  uint32_t address = 0;
  bool loopback = false;
};
std::vector<Interface> Interfaces();

}  // namespace ltml::base
