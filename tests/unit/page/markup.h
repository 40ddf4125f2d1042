#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ltml::page {

// Names that would break a page that trusts them.
inline const std::vector<std::string>& NastyNames() {
  static const std::vector<std::string> names = {
      "<script>alert(1)</script>",
      "\"><img src=x onerror=alert(1)>",
      "' onmouseover='alert(1)",
      "a&b &lt;c&gt;",
      "-->",
      "]]>",
      "{{constructor}}",
      "javascript:alert(1)",
      "\x1b[2J\x07",
      "line\nbreak\r\n",
      "\xE2\x80\xAEgnp.exe",
      "\xFF\xFE not UTF-8",
      std::string(3000, 'W'),
      "%s%n{}",
      "日本語 größe 🐄",
  };
  return names;
}

// Fails unless every start tag has its end tag in place, attributes are quoted, and no element that
// runs or loads anything is there.
inline void ExpectSound(std::string_view markup) {
  static const std::set<std::string> kVoid = {"meta", "link", "br"};
  std::vector<std::string> open;
  for (size_t at = markup.find('<'); at != std::string_view::npos; at = markup.find('<', at + 1)) {
    const size_t end = markup.find('>', at);
    ASSERT_NE(end, std::string_view::npos) << markup.substr(at, 80);
    const std::string_view tag = markup.substr(at + 1, end - at - 1);
    if (tag.starts_with("!")) continue;
    if (tag.starts_with("/")) {
      ASSERT_FALSE(open.empty()) << tag;
      ASSERT_EQ(open.back(), tag.substr(1)) << "ended in the wrong place";
      open.pop_back();
      continue;
    }
    size_t name_end = 0;
    while (name_end < tag.size() && std::isalnum(static_cast<unsigned char>(tag[name_end])) != 0) {
      ++name_end;
    }
    const std::string name(tag.substr(0, name_end));
    ASSERT_FALSE(name.empty()) << markup.substr(at, 80);
    ASSERT_NE(name, "img");
    ASSERT_NE(name, "iframe");
    // Attributes: ` name="value"`, nothing else.
    std::string_view rest = tag.substr(name_end);
    while (!rest.empty()) {
      ASSERT_EQ(rest[0], ' ') << tag;
      const size_t equals = rest.find("=\"");
      ASSERT_NE(equals, std::string_view::npos) << tag;
      const std::string_view attribute = rest.substr(1, equals - 1);
      ASSERT_FALSE(attribute.starts_with("on")) << tag;
      ASSERT_EQ(attribute.find_first_of(" <>'\""), std::string_view::npos) << tag;
      const size_t quote = rest.find('"', equals + 2);
      ASSERT_NE(quote, std::string_view::npos) << tag;
      rest.remove_prefix(quote + 1);
    }
    if (kVoid.count(name) == 0) open.push_back(name);
  }
  EXPECT_TRUE(open.empty()) << open.back() << " was not ended";
}

}  // namespace ltml::page
