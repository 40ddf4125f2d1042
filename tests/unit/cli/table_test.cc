#include "cli/table.h"

#include <gtest/gtest.h>

namespace ltml::cli {
namespace {

TEST(Table, AlignsColumns) {
  Table table({{"class", Table::Align::kLeft}, {"images", Table::Align::kRight}});
  table.AddRow({"cat", "1,142"});
  table.AddRow({"bicycle", "7"});
  EXPECT_EQ(table.Render(),
            "class    images\n"
            "-------  ------\n"
            "cat       1,142\n"
            "bicycle       7\n");
}

TEST(Table, MeasuresCharactersNotBytes) {
  Table table({{"a", Table::Align::kRight}});
  table.AddRow({"\xC3\xA9t\xC3\xA9"});
  table.AddRow({"x"});
  EXPECT_EQ(table.Render(), "  a\n---\n\xC3\xA9t\xC3\xA9\n  x\n");
}

TEST(Table, HeaderIsBoldInColour) {
  EXPECT_EQ(Table({{"a", Table::Align::kLeft}}).Render(true), "\x1b[1ma\x1b[0m\n-\n");
}

TEST(Table, NoNameBreaksALine) {
  Table table({{"class"}, {"AP"}});
  table.AddRow({"a\nb\x1b[2J", "1"});
  EXPECT_EQ(table.Render(), "class          AP\n-------------  --\na\\x0ab\\x1b[2J  1\n");
}

TEST(Bar, IsProportionalAndNeverVanishes) {
  EXPECT_EQ(Bar(10, 10, 3), "███");
  EXPECT_EQ(Bar(20, 10, 3), "███");
  EXPECT_EQ(Bar(5, 10, 3), "█▌");
  EXPECT_EQ(Bar(0.001, 10, 20), "▏");
  EXPECT_EQ(Bar(0, 10, 20), "");
  EXPECT_EQ(Bar(1, 0, 20), "");
}

}  // namespace
}  // namespace ltml::cli
