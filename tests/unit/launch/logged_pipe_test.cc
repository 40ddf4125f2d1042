#include "coordinator/launch/logged_pipe.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "common/base/files.h"

namespace ltml::launch {
namespace {

class LoggedPipeTest : public ::testing::Test {
 protected:
  LoggedPipe MustCreate() {
    auto pipe = LoggedPipe::CreateNamed(RankPipe(folder_.path(), 3), folder_.path() / "log");
    EXPECT_TRUE(pipe.ok()) << pipe.status();
    return *std::move(pipe);
  }
  void Write(const char* text) const {
    const base::Descriptor end(::open(RankPipe(folder_.path(), 3).c_str(), O_WRONLY | O_NONBLOCK));
    ASSERT_TRUE(end.open());
    ASSERT_EQ(::write(end.number(), text, std::strlen(text)),
              static_cast<ssize_t>(std::strlen(text)));
  }
  std::string Log() const { return base::ReadFile(folder_.path() / "log").value_or("<none>"); }

  base::PrivateFolder folder_ = *base::PrivateFolder::Create("logged-pipe");
};

TEST_F(LoggedPipeTest, WhatIsWrittenStandsInTheLog) {
  LoggedPipe pipe = MustCreate();
  EXPECT_FALSE(pipe.Read());  // nothing there, and it does not wait
  Write("one\n");
  EXPECT_TRUE(pipe.Read());
  EXPECT_EQ(Log(), "one\n");
  EXPECT_FALSE(pipe.Read());
}

TEST_F(LoggedPipeTest, OutlivesItsWriters) {
  LoggedPipe pipe = MustCreate();
  Write("one\n");
  Write("two\n");
  EXPECT_TRUE(pipe.Read());
  EXPECT_FALSE(pipe.Read());
  Write("three");
  EXPECT_TRUE(pipe.Read());
  EXPECT_EQ(Log(), "one\ntwo\nthree");
}

TEST_F(LoggedPipeTest, CloseTakesWhatIsLeft) {
  LoggedPipe pipe = MustCreate();
  Write("last words");
  pipe.Close();
  EXPECT_EQ(Log(), "last words");
}

TEST_F(LoggedPipeTest, AFolderThatIsNotThereIsNamed) {
  const auto pipe = LoggedPipe::CreateNamed("/no/such/folder/pipe", "/tmp/log");
  ASSERT_FALSE(pipe.ok());
  EXPECT_NE(std::string(pipe.status().message()).find("/no/such/folder/pipe"), std::string::npos);
}

TEST_F(LoggedPipeTest, JoiningAPipeThatNobodyReadsChangesNothing) {
  JoinRankPipe(folder_.path() / "absent");
  ASSERT_EQ(::fcntl(STDOUT_FILENO, F_GETFD), 0);
}

}  // namespace
}  // namespace ltml::launch
