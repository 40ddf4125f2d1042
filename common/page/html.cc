#include "common/page/html.h"

#include <fmt/format.h>

#include <cctype>
#include <iterator>

#include "common/base/visible.h"

namespace ltml::page {
namespace {

// Of text that is visible already.
std::string Escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string StartTag(std::string_view tag, const Attributes& attributes) {
  std::string start = fmt::format("<{}", tag);
  for (const Attribute& attribute : attributes) {
    if (attribute.name.empty()) continue;
    fmt::format_to(std::back_inserter(start), " {}=\"{}\"", attribute.name,
                   Escaped(base::Visible(attribute.value)));
  }
  return start + ">";
}

}  // namespace

Html Html::Text(std::string_view text) { return Html(Escaped(base::Visible(text))); }
Html Html::Lines(std::string_view text) { return Html(Escaped(base::VisibleLines(text))); }

Html Element(std::string_view tag, const Attributes& attributes, const Html& content) {
  std::string markup = StartTag(tag, attributes);
  markup += content.markup_;
  fmt::format_to(std::back_inserter(markup), "</{}>", tag);
  return Html(std::move(markup));
}

Html Element(std::string_view tag, const Attributes& attributes, std::string_view text) {
  return Element(tag, attributes, Html::Text(text));
}

Html Void(std::string_view tag, const Attributes& attributes) {
  return Html(StartTag(tag, attributes));
}

Html Name(std::string_view text) { return Element("bdi", {}, text); }

Html Link(std::string_view target, const Html& content) {
  return Element("a", {{"href", std::string(target)}}, content);
}

std::string UrlPart(std::string_view text) {
  std::string result;
  for (const unsigned char c : text) {
    if (std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      result += static_cast<char>(c);
    } else {
      fmt::format_to(std::back_inserter(result), "%{:02X}", c);
    }
  }
  return result;
}

}  // namespace ltml::page
