#pragma once

#include <string>

namespace ltml::base {

// This machine's name; "unknown" when the system does not tell.
std::string HostName();

}  // namespace ltml::base
