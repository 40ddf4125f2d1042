#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ltml::base {

// Characters of a UTF-8 text.
size_t DisplayWidth(std::string_view text);

// "1,234,567".
std::string GroupedNumber(int64_t number);

// "12 s", "3 min 05 s", "2 h 07 min".
std::string TimeText(double seconds);

}  // namespace ltml::base
