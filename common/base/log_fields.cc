#include "common/base/log_fields.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <iterator>
#include <map>

#include "common/base/visible.h"

namespace ltml::base {
namespace {

bool IsKey(std::string_view text) {
  if (text.empty()) return false;
  for (const unsigned char c : text) {
    if (std::isalnum(c) == 0 && c != '_' && c != '.') return false;
  }
  return true;
}

// A JSON number: what from_chars reads whole, without its "inf" and "nan" and leading zeros.
bool IsNumber(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
    return false;
  }
  const std::string_view digits = text.substr(text[0] == '-' ? 1 : 0);
  const bool leading_zero = digits.size() > 1 && digits[0] == '0' && std::isdigit(digits[1]) != 0;
  return !leading_zero && std::isdigit(static_cast<unsigned char>(digits.front())) != 0 &&
         std::isdigit(static_cast<unsigned char>(digits.back())) != 0;
}

// Takes one value off the front: up to a space, or a text in quotes with its escapes undone.
std::string TakeValue(std::string_view& rest) {
  std::string value;
  if (!rest.starts_with('"')) {
    value = rest.substr(0, rest.find(' '));
    rest.remove_prefix(value.size());
    return value;
  }
  rest.remove_prefix(1);
  while (!rest.empty() && rest[0] != '"') {
    const bool escaped = rest.size() > 1 && rest[0] == '\\' && (rest[1] == '"' || rest[1] == '\\');
    if (escaped) rest.remove_prefix(1);
    value += rest[0];
    rest.remove_prefix(1);
  }
  if (!rest.empty()) rest.remove_prefix(1);
  return value;
}

class Members {
 public:
  void Add(const std::string& key, std::string_view value, bool number) {
    const int count = ++counts_[key];
    const std::string name = count == 1 ? key : fmt::format("{}_{}", key, count);
    fmt::format_to(std::back_inserter(text_), "{}{}:{}", text_.empty() ? "" : ",", JsonText(name),
                   number ? std::string(value) : JsonText(value));
  }
  std::string text() && { return std::move(text_); }

 private:
  std::map<std::string, int> counts_;
  std::string text_;
};

}  // namespace

std::string JsonText(std::string_view text) {
  std::string result = "\"";
  for (const char c : Visible(text)) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string FieldsAsJson(std::string_view fields) {
  Members members;
  while (!fields.empty()) {
    if (fields[0] == ' ') {
      fields.remove_prefix(1);
      continue;
    }
    const size_t end = fields.find_first_of("= ");
    const std::string key(fields.substr(0, end));
    if (end == std::string_view::npos || fields[end] == ' ' || !IsKey(key)) {
      members.Add("text", TakeValue(fields), false);
      continue;
    }
    fields.remove_prefix(end + 1);
    const bool quoted = fields.starts_with('"');
    const std::string value = TakeValue(fields);
    members.Add(key, value, !quoted && !value.empty() && IsNumber(value));
  }
  return std::move(members).text();
}

}  // namespace ltml::base
