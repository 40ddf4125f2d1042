#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ltml::base {

// sha256 of a secret token, kTokenDigestBytes bytes: what is kept in place of the token.
inline constexpr size_t kTokenDigestBytes = 32;
std::string TokenDigest(std::string_view token);

// Whether `text` has the form in which configurations hold a digest: 64 lower-case hexadecimal
// digits, as sha256sum prints them.
bool IsDigestText(std::string_view text);

// Takes as long for digests that differ as for equal ones, given one length.
bool SameDigest(std::string_view a, std::string_view b);

}  // namespace ltml::base
