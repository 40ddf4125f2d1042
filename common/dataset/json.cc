#include "common/dataset/json.h"

#include <fmt/format.h>

#include <algorithm>

namespace ltml::dataset {
namespace {

constexpr size_t kShownBytes = 200;

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

}  // namespace

simdjson::error_code JsonParser::Parse(std::string_view text, simdjson::dom::element* element) {
  buffer_.assign(text);
  buffer_.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  return parser_.parse(buffer_.data(), text.size(), false).get(*element);
}

std::string_view Describe(simdjson::error_code error) {
  switch (error) {
    case simdjson::UTF8_ERROR:
      return "not valid UTF-8";
    case simdjson::DEPTH_ERROR:
      return "JSON nested too deeply";
    case simdjson::UNCLOSED_STRING:
      return "JSON with a string that does not end";
    case simdjson::UNESCAPED_CHARS:
      return "JSON with a control character in a string";
    case simdjson::EMPTY:
      return "empty";
    default:
      return "not JSON";
  }
}

std::string_view TypeName(const simdjson::dom::element& element) {
  switch (element.type()) {
    case simdjson::dom::element_type::ARRAY:
      return "a list";
    case simdjson::dom::element_type::OBJECT:
      return "an object";
    case simdjson::dom::element_type::STRING:
      return "a string";
    case simdjson::dom::element_type::BOOL:
      return "true or false";
    case simdjson::dom::element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

bool IsCleanText(std::string_view text) {
  return std::none_of(text.begin(), text.end(), IsControl) &&
         simdjson::validate_utf8(text.data(), text.size());
}

std::string Quoted(std::string_view text) {
  const std::string_view shown = text.substr(0, kShownBytes);
  const bool valid = simdjson::validate_utf8(text.data(), text.size());
  std::string out = "'";
  for (const char c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsControl(c) || (byte >= 0x80 && (!valid || shown.size() < text.size()))) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + (shown.size() < text.size() ? "...'" : "'");
}

}  // namespace ltml::dataset
