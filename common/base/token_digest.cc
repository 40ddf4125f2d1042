#include "common/base/token_digest.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "common/base/sha256.h"

namespace ltml::base {

std::string TokenDigest(std::string_view token) {
  return absl::HexStringToBytes(Sha256().Update(token).HexDigest());
}

bool IsDigestText(std::string_view text) {
  return text.size() == 2 * kTokenDigestBytes &&
         text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool SameDigest(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  }
  return difference == 0;
}

}  // namespace ltml::base
