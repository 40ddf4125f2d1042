#include "common/base/random.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cstdlib>

namespace ltml::base {

std::string RandomToken() {
  unsigned char bytes[16];
  // At most 256 bytes come whole or, before the kernel's first seeding, wait.
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) std::abort();
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

}  // namespace ltml::base
