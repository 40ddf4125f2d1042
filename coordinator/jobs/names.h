#pragma once

#include <cstddef>
#include <string_view>

namespace ltml::jobs {

// Request ids and the ids of jobs: 1 to kLongestToken letters, digits, '.', '_', '-'.
inline constexpr size_t kLongestToken = 128;
bool IsToken(std::string_view text);

// "jobs/" and such a token that begins with a letter or digit.
bool IsJobName(std::string_view name);

}  // namespace ltml::jobs
