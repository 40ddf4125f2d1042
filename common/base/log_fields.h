#pragma once

#include <string>
#include <string_view>

namespace ltml::base {

// `key=value key="quoted value"` as members of a JSON object: `"key":1,"key":"quoted value"`.
// Numbers become numbers, all else texts; what is no such field becomes "text".  A key that comes
// again gets a number.
std::string FieldsAsJson(std::string_view fields);

// A JSON text with its quotes.
std::string JsonText(std::string_view text);

}  // namespace ltml::base
