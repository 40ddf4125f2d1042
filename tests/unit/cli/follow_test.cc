#include "cli/follow.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "common/base/proto_json.h"
#include "coordinator/launch/capped_log.h"
#include "tests/unit/cli/service_fixture.h"

namespace ltml::cli {
namespace {

using namespace std::chrono_literals;
using coordinator::WaitUntil;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FollowTest : public ServiceTest {
 protected:
  // Remembers the events of jobs/a.
  FollowOptions Recording() {
    FollowOptions options;
    options.job = "jobs/a";
    options.event = [this](const v1::JobEvent& event) {
      sequences_.push_back(event.sequence());
      ++events_;
    };
    return options;
  }
  static std::vector<int64_t> UpTo(int64_t last) {
    std::vector<int64_t> all;
    for (int64_t i = 1; i <= last; ++i) all.push_back(i);
    return all;
  }

  std::vector<int64_t> sequences_;  // of the following thread
  std::atomic<int> events_ = 0;
};

TEST_F(FollowTest, TellsEveryEventOnceAndReturnsTheEndedJob) {
  const auto connection = Connect("viewer");
  for (int i = 0; i < 5; ++i) manager_.Move("jobs/a", v1::JOB_STATE_RUNNING);
  manager_.Move("jobs/a", v1::JOB_STATE_SUCCEEDED);
  FollowOptions options = Recording();
  std::string now;
  options.now = [&](const v1::Job& job) { now = job.name(); };
  const auto job = Follow(*connection, options);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(sequences_, UpTo(6));
  EXPECT_EQ(now, "jobs/a");
}

TEST_F(FollowTest, MissesAndRepeatsNothingOverRestartsOfTheServer) {
  const auto connection = Connect();
  absl::StatusOr<v1::Job> job;
  std::thread following([&] { job = Follow(*connection, Recording()); });
  int expected = 0;
  for (int restart = 0; restart < 3; ++restart) {
    for (int i = 0; i < 20; ++i) manager_.Move("jobs/a", v1::JOB_STATE_RUNNING);
    expected += 20;
    EXPECT_TRUE(WaitUntil([&] { return events_ >= expected; }));
    Stop();
    // Happens while nobody can hear of it.
    manager_.Move("jobs/a", v1::JOB_STATE_RUNNING);
    ++expected;
    Restart();
  }
  manager_.Move("jobs/a", v1::JOB_STATE_FAILED);
  following.join();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(sequences_, UpTo(expected + 1));
}

TEST_F(FollowTest, AServerThatStaysAwayIsGivenUp) {
  const auto connection = Connect("admin", {.away = 700ms});
  absl::StatusOr<v1::Job> job;
  std::thread following([&] { job = Follow(*connection, Recording()); });
  EXPECT_TRUE(WaitUntil([&] { return manager_.watchers() == 1; }));
  Stop();
  following.join();
  EXPECT_TRUE(absl::IsUnavailable(job.status())) << job.status();
  EXPECT_THAT(std::string(job.status().message()), HasSubstr(Address()));
}

TEST_F(FollowTest, AnInterruptEndsIt) {
  const auto connection = Connect();
  std::atomic<int> interrupt = 0;
  FollowOptions options = Recording();
  options.interrupt = &interrupt;
  absl::StatusOr<v1::Job> job;
  std::thread following([&] { job = Follow(*connection, options); });
  EXPECT_TRUE(WaitUntil([&] { return manager_.watchers() == 1; }));
  interrupt = 1;
  following.join();
  EXPECT_TRUE(absl::IsCancelled(job.status())) << job.status();
  EXPECT_TRUE(WaitUntil([&] { return manager_.watchers() == 0; }));
}

TEST_F(FollowTest, AnInterruptEndsItAlsoWhileTheServerIsAway) {
  const auto connection = Connect();
  Stop();
  std::atomic<int> interrupt = 0;
  FollowOptions options = Recording();
  options.interrupt = &interrupt;
  absl::StatusOr<v1::Job> job;
  std::thread following([&] { job = Follow(*connection, options); });
  std::this_thread::sleep_for(200ms);
  interrupt = 1;
  following.join();
  EXPECT_TRUE(absl::IsCancelled(job.status())) << job.status();
}

TEST_F(FollowTest, ADeadlineEndsIt) {
  const auto connection = Connect();
  FollowOptions options = Recording();
  options.deadline = std::chrono::steady_clock::now() + 200ms;
  const auto job = Follow(*connection, options);
  EXPECT_TRUE(absl::IsDeadlineExceeded(job.status())) << job.status();
}

TEST_F(FollowTest, AJobThatDoesNotExistIsNotWaitedFor) {
  const auto connection = Connect();
  FollowOptions options = Recording();
  options.job = "jobs/none";
  EXPECT_TRUE(absl::IsNotFound(Follow(*connection, options).status()));
}

TEST_F(FollowTest, WatchReturnsTheJobsOutcome) {
  const auto connection = Connect();
  Context context;
  context.quiet = true;
  manager_.Move("jobs/a", v1::JOB_STATE_SUCCEEDED);
  EXPECT_TRUE(Watch(*connection, "jobs/a", context).ok());
  manager_.Put(Job("jobs/b"));
  manager_.Move("jobs/b", v1::JOB_STATE_FAILED);
  EXPECT_TRUE(absl::IsInternal(Watch(*connection, "jobs/b", context)));
}

TEST_F(FollowTest, WatchPrintsEventsAsLinesOfJson) {
  const auto connection = Connect();
  Context context;
  context.output = OutputMode::kJson;
  manager_.Move("jobs/a", v1::JOB_STATE_RUNNING);
  manager_.Move("jobs/a", v1::JOB_STATE_SUCCEEDED);
  ::testing::internal::CaptureStdout();
  EXPECT_TRUE(Watch(*connection, "jobs/a", context).ok());
  std::istringstream lines(::testing::internal::GetCapturedStdout());
  std::vector<int64_t> sequences;
  for (std::string line; std::getline(lines, line);) {
    v1::JobEvent event;
    ASSERT_TRUE(base::FromJson(line, line, &event).ok());
    sequences.push_back(event.sequence());
  }
  EXPECT_EQ(sequences, UpTo(2));
}

class LogsTest : public ServiceTest {
 protected:
  LogsTest() {
    std::filesystem::create_directories(RunFolder() / "attempts/1");
    job_.add_attempts()->set_epoch(1);
    manager_.Put(job_);
  }

  void Append(const std::string& name, const std::string& text) {
    std::ofstream(RunFolder() / "attempts/1" / name, std::ios::app) << text;
  }
  // What is printed to the end of the logs.
  std::string Print(const LogOptions& options, OutputMode output = OutputMode::kText) {
    const auto connection = Connect("viewer");
    Context context;
    context.output = output;
    ::testing::internal::CaptureStdout();
    const absl::Status status = PrintLogs(*connection, options, context);
    const std::string text = ::testing::internal::GetCapturedStdout();
    EXPECT_TRUE(status.ok()) << status;
    return text;
  }

  v1::Job job_ = Job("jobs/a");
};

TEST_F(LogsTest, EveryLineHasItsRankUnlessThereIsOnlyOne) {
  Append("rank-0.log", "a\nb\n");
  Append("rank-1.log", "c\n");
  Append("mpirun.log", "d\n");
  EXPECT_EQ(Print({.job = "jobs/a"}), "[mpirun] d\n[0] a\n[0] b\n[1] c\n");
  EXPECT_EQ(Print({.job = "jobs/a", .ranks = {0}}), "a\nb\n");
  EXPECT_EQ(Print({.job = "jobs/a", .ranks = {0, 1}}), "[0] a\n[0] b\n[1] c\n");
}

TEST_F(LogsTest, ALineThatComesInPiecesHasOnePrefix) {
  // Longer than a chunk, so it comes in two.
  const std::string line(100'000, 'x');
  Append("rank-0.log", line + "\nnext\n");
  EXPECT_EQ(Print({.job = "jobs/a"}), "[0] " + line + "\n[0] next\n");
}

TEST_F(LogsTest, WhatIsNoLongerKeptIsCounted) {
  constexpr int kLines = 10'000;
  const std::string line = std::string(49, 'x') + "\n", prefix = "[0] ";
  {
    launch::CappedLog log(RunFolder() / "attempts/1/rank-0.log");
    for (int i = 0; i < kLines; ++i) log.Append(line);
    log.Close();
  }
  std::istringstream lines(Print({.job = "jobs/a"}));
  int64_t left_out = 0, told = 0;
  for (std::string text; std::getline(lines, text);) {
    if (text == prefix + line.substr(0, 49)) {
      told += std::ssize(line);
      continue;
    }
    ASSERT_EQ(left_out, 0) << "more than one gap";
    ASSERT_EQ(std::sscanf(text.c_str(), "[0] ... %ld bytes are no longer kept ...", &left_out), 1);
  }
  EXPECT_GT(told, 100'000);
  EXPECT_EQ(told + left_out, kLines * std::ssize(line));
}

TEST_F(LogsTest, ChunksAreLinesOfJson) {
  Append("rank-0.log", "a\n");
  v1::LogChunk chunk;
  const std::string text = Print({.job = "jobs/a"}, OutputMode::kJson);
  ASSERT_TRUE(base::FromJson(text, text, &chunk).ok());
  EXPECT_EQ(chunk.text(), "a\n");
  EXPECT_EQ(chunk.rank(), 0);
}

TEST_F(LogsTest, FollowingRepeatsNothingOverARestart) {
  Append("rank-0.log", "first\n");
  std::string text;
  std::thread following([&] { text = Print({.job = "jobs/a", .follow = true}); });
  std::this_thread::sleep_for(500ms);
  Stop();
  Append("rank-0.log", "second\n");
  Restart();
  std::this_thread::sleep_for(500ms);
  Append("rank-0.log", "third\n");
  manager_.Move("jobs/a", v1::JOB_STATE_SUCCEEDED);
  following.join();
  EXPECT_EQ(text, "[0] first\n[0] second\n[0] third\n");
}

}  // namespace
}  // namespace ltml::cli
