#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ltml::launch {

// The operating system's text for an error number.
std::string Reason(int error);

int64_t UnixMilliseconds();

// "NAME=value" of every variable of this program.
std::vector<std::string> OwnEnvironment();

// Null-terminated pointers into `texts`, for the exec functions; valid as long as `texts` is.
std::vector<char*> Pointers(std::vector<std::string>& texts);

}  // namespace ltml::launch
