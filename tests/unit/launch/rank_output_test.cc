#include "coordinator/launch/rank_output.h"

#include <gtest/gtest.h>

#include "common/base/files.h"

namespace ltml::launch {
namespace {

class RankOutputTest : public ::testing::Test {
 protected:
  std::string Log(const std::string& name) const {
    return base::ReadFile(folder_.path() / name).value_or("<none>");
  }

  base::PrivateFolder folder_ = *base::PrivateFolder::Create("rank-output");
  RankOutput output_{folder_.path(), 2};
};

TEST_F(RankOutputTest, LinesGoToTheirRank) {
  output_.Append("[1,0]<stdout>:one\n[1,1]<stderr>:two\nmpirun says\n[1,0]<stderr>:three\n");
  EXPECT_EQ(Log("rank-0.log"), "one\nthree\n");
  EXPECT_EQ(Log("rank-1.log"), "two\n");
  EXPECT_EQ(Log("mpirun.log"), "mpirun says\n");
}

TEST_F(RankOutputTest, PiecesOfALineMayArriveInterleaved) {
  // What Open MPI 4.1 prints when two ranks write "part", pause, and write "ial\n".
  output_.Append("[1,0]<stdout>:part[1,1]<std");
  output_.Append("out>:part[1,0]<stdout>:ial\n[1,1]<stdout>:ial\n");
  EXPECT_EQ(Log("rank-0.log"), "partial\n");
  EXPECT_EQ(Log("rank-1.log"), "partial\n");
}

TEST_F(RankOutputTest, WhatOnlyLooksLikeATagIsText) {
  output_.Append("[1,0]<stdout>:x[1,]<stdout>: [1,1] [1,7]<stdlog>:\n");
  EXPECT_EQ(Log("rank-0.log"), "x[1,]<stdout>: [1,1] [1,7]<stdlog>:\n");
}

TEST_F(RankOutputTest, RanksBeyondTheWorldGoToMpirunsLog) {
  output_.Append("[1,7]<stdout>:who\n");
  EXPECT_EQ(Log("mpirun.log"), "who\n");
}

TEST_F(RankOutputTest, LastLineNeedsNoEnd) {
  output_.Append("[1,1]<stderr>:cut");
  output_.Close();
  EXPECT_EQ(Log("rank-1.log"), "cut");
  EXPECT_EQ(Log("rank-0.log"), "<none>");
}

TEST_F(RankOutputTest, EndlessLineIsTakenInPieces) {
  output_.Append("[1,0]<stdout>:");
  for (int piece = 0; piece < 100; ++piece) output_.Append(std::string(1024, 'x'));
  output_.Close();
  EXPECT_GT(Log("rank-0.log").size(), 60'000u);
}

}  // namespace
}  // namespace ltml::launch
