#pragma once

#include <string>

namespace ltml::base {

// Of ltml: "0.1.0".
std::string Version();

}  // namespace ltml::base
