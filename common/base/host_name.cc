#include "common/base/host_name.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"

namespace ltml::base {
namespace {

constexpr size_t kLongestName = 253;

}  // namespace

std::string HostName() {
  char name[256] = "";
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

bool IsHostName(std::string_view name) {
  const auto allowed = [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= kLongestName && absl::ascii_isalnum(name[0]) &&
         std::ranges::all_of(name, allowed);
}

}  // namespace ltml::base
