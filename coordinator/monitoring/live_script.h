#pragma once

#include <string_view>

namespace ltml::monitoring {

// The one script of pages, in JavaScript: asks for the page again while it is looked at, and puts
// in the sections that have changed, so that place, focus and opened parts stay.
std::string_view LiveScript();

}  // namespace ltml::monitoring
