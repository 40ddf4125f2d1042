#pragma once

#include <string>
#include <vector>

namespace ltml::base {

// The operating system's text for an error number.
std::string Reason(int error);

// "NAME=value" of every variable of this program.
std::vector<std::string> OwnEnvironment();

// Null-terminated pointers into `texts`, for the exec functions; valid as long as `texts` is.
std::vector<char*> Pointers(std::vector<std::string>& texts);

}  // namespace ltml::base
