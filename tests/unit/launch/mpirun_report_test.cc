#include "coordinator/launch/mpirun_report.h"

#include <gtest/gtest.h>

#include "common/base/files.h"

namespace ltml::launch {
namespace {

TEST(MpirunReportTest, FindsTheRankThatASignalEnded) {
  const auto found = FindRankExit(
      "-----\nmpirun noticed that process rank 1 with PID 0 on node vm exited on signal 9 "
      "(Killed).\n-----\n");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->rank, 1);
  EXPECT_EQ(found->signal, 9);
}

TEST(MpirunReportTest, FindsTheRankThatReturnedAnError) {
  const auto found = FindRankExit(
      "the job to be terminated. The first process to do so was:\n\n"
      "  Process name: [[18493,1],12]\n  Exit code:    3\n----\n");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->rank, 12);
  EXPECT_EQ(found->signal, 0);
  EXPECT_EQ(found->exit_status, 3);
}

TEST(MpirunReportTest, SaysNothingAboutOtherText) {
  EXPECT_FALSE(FindRankExit("").has_value());
  EXPECT_FALSE(FindRankExit("noticed that process rank of").has_value());
}

TEST(MpirunReportTest, TailStartsAtALine) {
  const auto folder = *base::PrivateFolder::Create("tail");
  const auto file = folder.path() / "a.log";
  ASSERT_TRUE(base::WriteFileAtomically(file, "first\nsecond\nthird\n").ok());
  EXPECT_EQ(LogTail(file, 100), "first\nsecond\nthird\n");
  EXPECT_EQ(LogTail(file, 10), "third\n");
  EXPECT_EQ(LogTail(folder.path() / "none", 10), "");
}

}  // namespace
}  // namespace ltml::launch
