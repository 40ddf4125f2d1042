#include "coordinator/launch/capped_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "common/base/files.h"

namespace ltml::launch {
namespace {

class CappedLogTest : public ::testing::Test {
 protected:
  std::string Content() const { return base::ReadFile(file_).value_or("<none>"); }

  base::PrivateFolder folder_ = *base::PrivateFolder::Create("capped-log");
  std::filesystem::path file_ = folder_.path() / "a.log";
};

TEST_F(CappedLogTest, ShortLogIsKeptWhole) {
  CappedLog log(file_, 10);
  EXPECT_EQ(Content(), "<none>");
  log.Append("0123456789");
  log.Append("abcdefghij");
  EXPECT_EQ(Content(), "0123456789abcdefghij");
  log.Close();
  EXPECT_EQ(Content(), "0123456789abcdefghij");
}

TEST_F(CappedLogTest, KeepsBothEndsAndCountsTheRest) {
  CappedLog log(file_, 10);
  for (int digit = 0; digit < 100; ++digit) log.Append(fmt::format("{:02d}", digit));
  log.Close();
  // 200 bytes: 10 + 180 + 10.
  EXPECT_EQ(Content(), "0001020304\n... 180 bytes left out ...\n9596979899");
}

TEST_F(CappedLogTest, OneLargeWriteIsCutToo) {
  CappedLog log(file_, 10);
  log.Append(std::string(1000, 'x') + "the end...");
  EXPECT_EQ(Content(), "xxxxxxxxxx\n... 990 bytes left out ...\nthe end...");
}

TEST_F(CappedLogTest, FileNeverGrowsBeyondThreeParts) {
  CappedLog log(file_, 1000);
  for (int line = 0; line < 2000; ++line) {
    log.Append("a line of text\n");
    ASSERT_LE(std::filesystem::file_size(file_), 3000 + 64);
  }
}

TEST_F(CappedLogTest, UnwritableFolderIsNoError) {
  CappedLog log(folder_.path() / "missing" / "a.log");
  log.Append("text");
  log.Close();
}

}  // namespace
}  // namespace ltml::launch
