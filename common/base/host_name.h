#pragma once

#include <string>
#include <string_view>

namespace ltml::base {

// This machine's name; "unknown" when the system does not tell.
std::string HostName();

// Letters, digits, '-' and '.', beginning with a letter or digit, at most 253: names of hosts and
// IPv4 addresses, and nothing that a command could take for an option.
bool IsHostName(std::string_view name);

}  // namespace ltml::base
