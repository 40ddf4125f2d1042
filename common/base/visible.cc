#include "common/base/visible.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace ltml::base {
namespace {

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  // 0: no UTF-8
};

bool IsContinuation(unsigned char c) { return (c & 0xC0) == 0x80; }

// The table of well-formed sequences (Unicode, table 3-7) by its ranges of code points.
Character FirstOf(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  uint32_t code = lead & (0xFFu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if (!IsContinuation(next)) return {};
    code = code << 6 | (next & 0x3Fu);
  }
  const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (overlong || surrogate || code > 0x10FFFF) return {};
  return {code, bytes};
}

bool Acts(uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  const bool separator = code == 0x2028 || code == 0x2029;
  const bool direction = code == 0x061C || code == 0x200E || code == 0x200F ||
                         (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return control || separator || direction;
}

}  // namespace

std::string Visible(std::string_view text) {
  // Nearly all texts are plain, and metrics have many.
  if (std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c < 0x7F; })) {
    return std::string(text);
  }
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character character = FirstOf(text);
    const size_t bytes = character.bytes == 0 ? 1 : character.bytes;
    if (character.bytes > 0 && !Acts(character.code)) {
      result += text.substr(0, bytes);
    } else {
      for (const unsigned char c : text.substr(0, bytes)) {
        fmt::format_to(std::back_inserter(result), "\\x{:02x}", c);
      }
    }
    text.remove_prefix(bytes);
  }
  return result;
}

std::string VisibleLines(std::string_view text) {
  std::string result;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    result += Visible(text.substr(0, end)) + '\n';
    text.remove_prefix(end + 1);
  }
  return result + Visible(text);
}

}  // namespace ltml::base
