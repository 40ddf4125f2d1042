#include "coordinator/monitoring/http.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "absl/strings/escaping.h"

namespace ltml::monitoring {
namespace {

std::string Decoded(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t at) {
      return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])) != 0;
    };
    if (text[i] == '%' && digit(i + 1) && digit(i + 2)) {
      result += absl::HexStringToBytes(std::string(text.substr(i + 1, 2)));
      i += 2;
    } else {
      result += text[i] == '+' ? ' ' : text[i];
    }
  }
  return result;
}

}  // namespace

std::map<std::string, std::string> ParseQuery(const std::string& text) {
  std::map<std::string, std::string> query;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const size_t equals = pair.find('=');
    if (pair.empty()) continue;
    query[Decoded(pair.substr(0, equals))] =
        equals == std::string_view::npos ? "" : Decoded(pair.substr(equals + 1));
  }
  return query;
}

}  // namespace ltml::monitoring
