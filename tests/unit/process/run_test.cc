#include "common/process/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/files.h"
#include "common/base/system.h"

namespace ltml::process {
namespace {

using namespace std::chrono_literals;

Command Shell(const std::string& script) {
  return {{"/bin/sh", "-c", script}, base::OwnEnvironment()};
}

Answer RunOne(const std::string& script, std::chrono::nanoseconds time = 20s) {
  return RunAtOnce({Shell(script)}, {.time = time})[0];
}

// An orphan that was killed is a zombie until its new parent has waited for it.
bool Lives(pid_t process) {
  const std::string stat =
      base::ReadFile("/proc/" + std::to_string(process) + "/stat", 4096).value_or("");
  return !stat.empty() && stat.find(") Z ") == std::string::npos;
}

bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

TEST(RunAtOnce, TellsWhatACommandSaidAndHowItEnded) {
  const Answer good = RunOne("echo out; echo err >&2");
  EXPECT_TRUE(good.succeeded());
  EXPECT_EQ(good.output, "out\n");
  EXPECT_EQ(good.errors, "err\n");
  EXPECT_GT(good.time, 0ns);
  const Answer bad = RunOne("exit 7");
  EXPECT_TRUE(bad.status.ok());
  EXPECT_FALSE(bad.succeeded());
  EXPECT_EQ(bad.exit_status, 7);
  EXPECT_EQ(RunOne("kill -9 $$").exit_status, 128 + SIGKILL);
}

TEST(RunAtOnce, CommandsGetTheirEnvironmentAndNoInput) {
  const std::vector<Answer> answers = RunAtOnce(
      {{{"/bin/sh", "-c", "echo $WHO; cat"}, {"WHO=me", "PATH=/bin:/usr/bin"}}}, {.time = 20s});
  EXPECT_EQ(answers[0].output, "me\n");
}

// Each waits for what the other makes.
TEST(RunAtOnce, CommandsRunAtTheSameTimeAndAnswerInTheirOrder) {
  const auto folder = *base::PrivateFolder::Create("run-test");
  const auto meet = [&](const std::string& own, const std::string& other) {
    const std::string path = folder.path().string() + "/";
    return Shell("touch " + path + own + "; until [ -e " + path + other +
                 " ]; do sleep 0.01; done; echo " + own);
  };
  const std::vector<Answer> answers = RunAtOnce({meet("a", "b"), meet("b", "a")}, {.time = 20s});
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].output, "a\n");
  EXPECT_EQ(answers[1].output, "b\n");
}

TEST(RunAtOnce, WhatDoesNotEndInTimeIsKilledWithAllThatItStarted) {
  const std::vector<Answer> answers =
      RunAtOnce({Shell("sleep 100 & echo $!; wait"), Shell("echo done")}, {.time = 500ms});
  EXPECT_TRUE(absl::IsDeadlineExceeded(answers[0].status)) << answers[0].status;
  EXPECT_EQ(answers[0].status.message(), "no answer within 0.5 s");
  const pid_t grandchild = std::atoi(answers[0].output.c_str());
  ASSERT_GT(grandchild, 0);
  EXPECT_TRUE(Eventually([&] { return !Lives(grandchild); }));
  EXPECT_TRUE(answers[1].succeeded());
}

TEST(RunAtOnce, APipeThatSomebodyKeepsOpenHoldsNothingUp) {
  const Answer answer = RunOne("sleep 100 & echo $!");
  EXPECT_TRUE(answer.succeeded()) << answer.status;
  const pid_t grandchild = std::atoi(answer.output.c_str());
  ASSERT_GT(grandchild, 0);
  EXPECT_TRUE(Lives(grandchild));
  ::kill(grandchild, SIGKILL);
}

TEST(RunAtOnce, AFloodIsReadToItsEndAndCut) {
  const std::vector<Answer> answers = RunAtOnce({Shell("head -c 3000000 /dev/zero; echo end >&2")},
                                                {.time = 20s, .output_bytes = 1000});
  EXPECT_TRUE(answers[0].succeeded());
  EXPECT_EQ(answers[0].output.size(), 1000u);
  EXPECT_EQ(answers[0].errors, "end\n");
}

TEST(RunAtOnce, WhatCannotBeStartedIsTold) {
  const std::vector<Answer> answers =
      RunAtOnce({{{"/nowhere/program"}, {}}, Shell("echo fine")}, {.time = 20s});
  EXPECT_TRUE(absl::IsInternal(answers[0].status));
  EXPECT_THAT(std::string(answers[0].status.message()), ::testing::HasSubstr("/nowhere/program"));
  EXPECT_EQ(answers[1].output, "fine\n");
  EXPECT_TRUE(RunAtOnce({}, {.time = 20s}).empty());
}

TEST(RunAtOnce, IsGivenUpWhenNobodyWantsTheAnswers) {
  std::atomic<bool> abandoned = false;
  std::thread giving_up([&] {
    std::this_thread::sleep_for(50ms);
    abandoned = true;
  });
  const std::vector<Answer> answers =
      RunAtOnce({Shell("sleep 100")}, {.time = 60s, .abandoned = &abandoned});
  giving_up.join();
  EXPECT_TRUE(absl::IsCancelled(answers[0].status)) << answers[0].status;
}

}  // namespace
}  // namespace ltml::process
