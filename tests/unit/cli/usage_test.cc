#include "cli/usage.h"

#include <gtest/gtest.h>

namespace ltml::cli {
namespace {

TEST(ShellQuoted, QuotesWhatAShellWouldChange) {
  EXPECT_EQ(ShellQuoted("runs/a-1.toml"), "runs/a-1.toml");
  EXPECT_EQ(ShellQuoted("a b"), "'a b'");
  EXPECT_EQ(ShellQuoted("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuoted("x=[1]"), "'x=[1]'");
  EXPECT_EQ(ShellQuoted(""), "''");
}

}  // namespace
}  // namespace ltml::cli
