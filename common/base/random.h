#pragma once

#include <string>

namespace ltml::base {

// 128 bits from the operating system as 32 hexadecimal digits: for tokens and marks that nobody
// may guess or meet twice.  Thread-safe.
std::string RandomToken();

}  // namespace ltml::base
