#include "cli/interrupt.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "cli/context.h"

namespace ltml::cli {
namespace {

TEST(InterruptCounter, CountsAndTellsOnce) {
  ::testing::internal::CaptureStderr();
  {
    const InterruptCounter interrupt("stopping\n");
    ASSERT_EQ(::raise(SIGINT), 0);
    ASSERT_EQ(::raise(SIGTERM), 0);
    EXPECT_EQ(interrupt.count()->load(), 2);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "stopping\n");
}

TEST(InterruptCounter, NobodyNeedsToReadTheOutput) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const int before = ::dup(STDERR_FILENO);
  {
    const InterruptCounter interrupt("stopping\n");
    ::close(ends[0]);
    ::dup2(ends[1], STDERR_FILENO);
    ::raise(SIGINT);
    Say("the last words\n");
    EXPECT_EQ(::write(ends[1], "x", 1), -1);
    EXPECT_EQ(errno, EPIPE);
    ::dup2(before, STDERR_FILENO);
  }
  ::close(ends[1]);
  ::close(before);
  struct sigaction after {};
  ::sigaction(SIGPIPE, nullptr, &after);
  EXPECT_EQ(after.sa_handler, SIG_DFL);
}

}  // namespace
}  // namespace ltml::cli
