#include "common/base/visible.h"

#include <gtest/gtest.h>

namespace ltml::base {
namespace {

TEST(Visible, LeavesOrdinaryTextAlone) {
  for (const std::string text :
       {"", "a b", "<script>&\"'\\", "größe", "日本語", "🐄", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(Visible(text), text);
  }
}

TEST(Visible, ShowsWhatWouldAct) {
  EXPECT_EQ(Visible("a\nb\tc\x1b[2J\x7f"), "a\\x0ab\\x09c\\x1b[2J\\x7f");
  EXPECT_EQ(Visible(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(Visible("\xC2\x9B"), "\\xc2\\x9b") << "C1: a control sequence introducer";
  EXPECT_EQ(Visible("\xC2\xA0"), "\xC2\xA0");
  EXPECT_EQ(Visible("a\xE2\x80\xA8z"), "a\\xe2\\x80\\xa8z") << "line separator";
  EXPECT_EQ(Visible("x\xE2\x80\xAEy"), "x\\xe2\\x80\\xaey") << "right-to-left override";
  EXPECT_EQ(Visible("x\xE2\x81\xA6y"), "x\\xe2\\x81\\xa6y") << "isolate";
}

TEST(Visible, KeepsLinesOfALog) {
  EXPECT_EQ(VisibleLines("a\x1b\n\nb\tc\r\n"), "a\\x1b\n\nb\\x09c\\x0d\n");
  EXPECT_EQ(VisibleLines("no end"), "no end");
}

// The ends of each range of the table of well-formed sequences, and their neighbours.
TEST(Visible, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(Visible("\xFF"), "\\xff");
  EXPECT_EQ(Visible("\x80z"), "\\x80z");
  EXPECT_EQ(Visible("\xC1\xBF"), "\\xc1\\xbf");
  EXPECT_EQ(Visible("\xC3"), "\\xc3");
  EXPECT_EQ(Visible("\xC3z"), "\\xc3z");
  EXPECT_EQ(Visible("\xE0\x9F\xBF"), "\\xe0\\x9f\\xbf");
  EXPECT_EQ(Visible("\xE0\xA0\x80"), "\xE0\xA0\x80");
  EXPECT_EQ(Visible("\xED\x9F\xBF"), "\xED\x9F\xBF");
  EXPECT_EQ(Visible("\xED\xA0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(Visible("\xEE\x80\x80"), "\xEE\x80\x80");
  EXPECT_EQ(Visible("\xF0\x8F\xBF\xBF"), "\\xf0\\x8f\\xbf\\xbf");
  EXPECT_EQ(Visible("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(Visible("\xE2\x82z"), "\\xe2\\x82z");
}

}  // namespace
}  // namespace ltml::base
