#include "common/page/html.h"

#include <gtest/gtest.h>

#include "tests/unit/page/markup.h"

namespace ltml::page {
namespace {

TEST(Html, EscapesTextAndAttributes) {
  EXPECT_EQ(Html::Text("<a href=\"x\">&'").markup(), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  EXPECT_EQ(Element("p", {{"title", "\"><b>"}}, "x").markup(),
            "<p title=\"&quot;&gt;&lt;b&gt;\">x</p>");
  EXPECT_EQ(Html::Text("a\x1b[0m").markup(), "a\\x1b[0m");
}

TEST(Html, NestsAndLeavesOutAttributesWithoutName) {
  const Html item = Element("li", {{"", "x"}}, "a") + Element("li", {{"class", "b"}}, Html());
  EXPECT_EQ(Element("ul", {}, item).markup(), "<ul><li>a</li><li class=\"b\"></li></ul>");
  EXPECT_EQ(Void("meta", {{"charset", "utf-8"}}).markup(), "<meta charset=\"utf-8\">");
  EXPECT_EQ(Html::Literal("<hr>").markup(), "<hr>");
  EXPECT_EQ(Html::Lines("a<\nb\x1b").markup(), "a&lt;\nb\\x1b");
}

TEST(Html, NoNameBreaksIt) {
  for (const std::string& name : NastyNames()) {
    const Html html = Element("td", {{"title", name}, {"id", name}}, Name(name)) +
                      Link("/jobs/" + UrlPart(name), Html::Text(name));
    ExpectSound(html.markup());
    EXPECT_EQ(html.markup().find("<script"), std::string::npos);
  }
}

TEST(UrlPart, LeavesOnlyWhatIsSafe) {
  EXPECT_EQ(UrlPart("aZ09-_.~"), "aZ09-_.~");
  EXPECT_EQ(UrlPart("a b/c?d=e&f#g%\xC3\xBC"), "a%20b%2Fc%3Fd%3De%26f%23g%25%C3%BC");
}

}  // namespace
}  // namespace ltml::page
