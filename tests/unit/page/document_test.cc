#include "common/page/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <regex>

#include "common/page/table.h"
#include "tests/unit/page/markup.h"

namespace ltml::page {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Document, LoadsNothingButItsScript) {
  Document document{.title = "<t>", .header = {}, .main = Element("p", {}, "x"), .script = {}};
  std::string text = Render(document);
  EXPECT_TRUE(text.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
  EXPECT_THAT(text, HasSubstr("<title>&lt;t&gt;</title>"));
  EXPECT_THAT(text, HasSubstr("<main id=\"main\"><p>x</p></main>"));
  EXPECT_THAT(text, Not(HasSubstr("<script")));
  EXPECT_THAT(text, Not(HasSubstr("http-equiv")));
  EXPECT_THAT(text, Not(HasSubstr("http:")));
  EXPECT_THAT(text, Not(HasSubstr("https:")));
  EXPECT_THAT(text, Not(HasSubstr("url(")));
  EXPECT_THAT(text, Not(HasSubstr("@import")));
  document.script = "/live.js";
  document.refresh_seconds = 10;
  text = Render(document);
  EXPECT_THAT(text, HasSubstr("<script src=\"/live.js\" defer=\"\"></script>"));
  EXPECT_THAT(text, HasSubstr("<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>"));
}

TEST(Document, HasOneSkipLinkAndOneMain) {
  const std::string text =
      Render({.title = "t", .header = Element("a", {}, "h"), .main = {}, .script = {}});
  EXPECT_THAT(text, HasSubstr("<body><a href=\"#main\">Skip to the content</a><header"));
}

TEST(Table, IsATableForEveryReader) {
  Table table("t", "All <things>", {{Html::Text("Name")}, {Html::Text("Count"), true}});
  EXPECT_TRUE(table.empty());
  table.AddRow({Html::Text("a"), Html::Text("1")});
  table.AddRow({Html::Text("b")});
  const std::string markup = table.Render().markup();
  ExpectSound(markup);
  EXPECT_THAT(markup,
              HasSubstr("tabindex=\"0\" role=\"region\" aria-label=\"All &lt;things&gt;\""));
  EXPECT_THAT(markup, HasSubstr("<caption>All &lt;things&gt;</caption>"));
  EXPECT_THAT(markup, HasSubstr("<th scope=\"col\" class=\"number\">Count</th>"));
  EXPECT_THAT(markup, HasSubstr("<tr><th scope=\"row\">b</th><td class=\"number\"></td></tr>"));
}

// Relative luminance and contrast of WCAG 2.
double Luminance(const std::string& colour) {
  double luminance = 0;
  const bool brief = colour.size() == 4;
  const double weights[] = {0.2126, 0.7152, 0.0722};
  for (int i = 0; i < 3; ++i) {
    const std::string part = brief ? std::string(2, colour[1 + i]) : colour.substr(1 + 2 * i, 2);
    const double value = std::stoi(part, nullptr, 16) / 255.0;
    luminance +=
        weights[i] * (value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4));
  }
  return luminance;
}

double Contrast(const std::string& a, const std::string& b) {
  const double x = Luminance(a), y = Luminance(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

// Colours of each ":root{...}" block of the style: light, dark, paper.
std::vector<std::map<std::string, std::string>> Palettes() {
  std::vector<std::map<std::string, std::string>> palettes;
  const std::string style(Style());
  const std::regex block(":root\\{([^}]*)\\}"), colour("--([a-z]+):(#[0-9a-f]+)");
  for (std::sregex_iterator it(style.begin(), style.end(), block), end; it != end; ++it) {
    const std::string text = (*it)[1];
    auto& palette = palettes.emplace_back();
    for (std::sregex_iterator one(text.begin(), text.end(), colour); one != end; ++one) {
      palette[(*one)[1]] = (*one)[2];
    }
  }
  return palettes;
}

TEST(Style, TextAndDataHaveEnoughContrast) {
  const auto palettes = Palettes();
  ASSERT_EQ(palettes.size(), 3u);
  for (const auto& palette : palettes) {
    ASSERT_GE(palette.size(), 16u);
    for (const char* text : {"ink", "muted", "accent", "good", "bad", "warn", "uniform",
                             "rebalanced", "total", "head", "medium", "tail"}) {
      for (const char* ground : {"paper", "panel"}) {
        EXPECT_GE(Contrast(palette.at(text), palette.at(ground)), 4.5) << text << " on " << ground;
      }
    }
    EXPECT_GE(Contrast(palette.at("wait"), palette.at("paper")), 3) << "a graphic";
  }
}

}  // namespace
}  // namespace ltml::page
