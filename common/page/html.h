#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ltml::page {

struct Attribute {
  std::string_view name;  // empty: left out
  std::string value;      // of any origin
};
using Attributes = std::vector<Attribute>;

// Markup that is well-formed by construction: text of any origin comes in through Text and through
// attributes, where it is escaped; markup itself only as a literal of this program.  So no name can
// break a page.
class Html {
 public:
  Html() = default;
  // Escaped, and as base::Visible shows it.
  static Html Text(std::string_view text);
  // The same with line ends, for <pre>.
  static Html Lines(std::string_view text);
  // A piece of markup in the source code.
  template <size_t kSize>
  static Html Literal(const char (&markup)[kSize]) {
    return Html(std::string(markup, kSize - 1));
  }

  Html& operator+=(const Html& other) {
    markup_ += other.markup_;
    return *this;
  }
  friend Html operator+(Html a, const Html& b) { return std::move(a += b); }
  bool empty() const { return markup_.empty(); }
  const std::string& markup() const { return markup_; }

 private:
  friend Html Element(std::string_view tag, const Attributes& attributes, const Html& content);
  friend Html Void(std::string_view tag, const Attributes& attributes);
  explicit Html(std::string markup) : markup_(std::move(markup)) {}
  std::string markup_;
};

// <tag name="value">content</tag>.
Html Element(std::string_view tag, const Attributes& attributes, const Html& content);
Html Element(std::string_view tag, const Attributes& attributes, std::string_view text);
// An element without content and end tag, such as <meta>.
Html Void(std::string_view tag, const Attributes& attributes);

// A name of any script inside other text, which keeps its own direction.
Html Name(std::string_view text);
Html Link(std::string_view target, const Html& content);

// "%41" for all that may not stand in a part of a path or query.
std::string UrlPart(std::string_view text);

}  // namespace ltml::page
