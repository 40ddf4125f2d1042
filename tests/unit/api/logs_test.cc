#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "coordinator/launch/capped_log.h"
#include "coordinator/rpc/log_position.h"
#include "fixture.h"

namespace ltml::coordinator {
namespace {

using ::testing::ElementsAre;

class LogsTest : public ApiTest {
 protected:
  LogsTest() {
    AddAttempt(1);
    manager_.Put(job_);
  }

  void AddAttempt(int64_t epoch) {
    std::filesystem::create_directories(AttemptFolder(epoch));
    job_.add_attempts()->set_epoch(epoch);
  }
  std::filesystem::path AttemptFolder(int64_t epoch) const {
    return RunFolder() / "attempts" / std::to_string(epoch);
  }
  void Write(int64_t epoch, const std::string& name, const std::string& text) {
    std::ofstream(AttemptFolder(epoch) / name, std::ios::app) << text;
  }
  std::unique_ptr<grpc::ClientReader<v1::LogChunk>> Logs(Call& call, v1::LogsRequest request = {}) {
    if (request.name().empty()) request.set_name("jobs/a");
    return jobs_->Logs(&call, request);
  }
  // All chunks to the end of the stream.
  std::vector<v1::LogChunk> ReadAll(const v1::LogsRequest& request = {}) {
    Call call("viewer");
    const auto reader = Logs(call, request);
    std::vector<v1::LogChunk> chunks(1);
    while (reader->Read(&chunks.back())) chunks.emplace_back();
    chunks.pop_back();
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return chunks;
  }
  static std::vector<std::string> TextsOf(const std::vector<v1::LogChunk>& chunks) {
    std::vector<std::string> texts;
    for (const auto& chunk : chunks) {
      texts.push_back(fmt::format("{}/{}: {}", chunk.attempt_epoch(), chunk.rank(), chunk.text()));
    }
    return texts;
  }

  v1::Job job_ = Job("jobs/a");
};

TEST_F(LogsTest, RanksAndMpirunOfTheNewestAttempt) {
  Write(1, "rank-0.log", "zero\nunfinished");
  Write(1, "rank-1.log", "one\n");
  Write(1, "mpirun.log", "mpirun\n");
  EXPECT_THAT(TextsOf(ReadAll()),
              ElementsAre("1/-1: mpirun\n", "1/0: zero\nunfinished", "1/1: one\n"));
  v1::LogsRequest request;
  request.add_ranks(1);
  EXPECT_THAT(TextsOf(ReadAll(request)), ElementsAre("1/1: one\n"));
  AddAttempt(2);
  manager_.Put(job_);
  Write(2, "rank-0.log", "second\n");
  EXPECT_THAT(TextsOf(ReadAll()), ElementsAre("2/0: second\n"));
  request.set_attempt_epoch(1);
  EXPECT_THAT(TextsOf(ReadAll(request)), ElementsAre("1/1: one\n"));
}

TEST_F(LogsTest, AJobThatHasNotStartedHasNoLogs) {
  manager_.Put(Job("jobs/b", v1::JOB_STATE_QUEUED));
  v1::LogsRequest request;
  request.set_name("jobs/b");
  EXPECT_TRUE(ReadAll(request).empty());
}

TEST_F(LogsTest, BadRequestsAreRefused) {
  const auto finish = [&](const v1::LogsRequest& request) {
    Call call;
    return Logs(call, request)->Finish();
  };
  v1::LogsRequest request;
  request.set_name("jobs/..");
  request.set_attempt_epoch(-1);
  EXPECT_THAT(BadFields(finish(request)), ElementsAre("name", "attempt_epoch"));
  request.set_name("jobs/a");
  request.set_attempt_epoch(7);
  EXPECT_EQ(finish(request).error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_attempt_epoch(0);
  request.add_ranks(2);
  EXPECT_THAT(BadFields(finish(request)), ElementsAre("ranks"));
  request.clear_ranks();
  request.set_resume_after("x");
  EXPECT_THAT(BadFields(finish(request)), ElementsAre("resume_after"));
  request.set_resume_after(ToToken({.job = "jobs/b", .attempt_epoch = 1, .offsets = {}}));
  EXPECT_THAT(BadFields(finish(request)), ElementsAre("resume_after"));
  request.set_resume_after(ToToken({.job = "jobs/a", .attempt_epoch = 1, .offsets = {}}));
  request.set_attempt_epoch(2);
  EXPECT_THAT(BadFields(finish(request)), ElementsAre("resume_after"));
  request.Clear();
  request.set_name("jobs/c");
  EXPECT_EQ(finish(request).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(LogsTest, FollowingGoesOnThroughAttemptsToTheEndOfTheJob) {
  Write(1, "rank-0.log", "a\n");
  Call call;
  v1::LogsRequest request;
  request.set_follow(true);
  const auto reader = Logs(call, request);
  v1::LogChunk chunk;
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(chunk.text(), "a\n");
  Write(1, "rank-0.log", "b\n");
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(chunk.text(), "b\n");
  Write(1, "rank-1.log", "last words");
  AddAttempt(2);
  manager_.Put(job_);
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(chunk.text(), "last words");
  EXPECT_EQ(chunk.rank(), 1);
  Write(2, "rank-0.log", "c\n");
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(chunk.attempt_epoch(), 2);
  EXPECT_EQ(chunk.text(), "c\n");
  manager_.Move("jobs/a", v1::JOB_STATE_SUCCEEDED);
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(LogsTest, EndStreamsEndsFollowers) {
  Call call;
  v1::LogsRequest request;
  request.set_follow(true);
  Write(1, "rank-0.log", "a\n");
  const auto reader = Logs(call, request);
  v1::LogChunk chunk;
  ASSERT_TRUE(reader->Read(&chunk));
  api_->EndStreams();
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(LogsTest, ATrapInTheRunFolderIsNotRead) {
  std::ofstream(folder_.path() / "secret") << "secret\n";
  std::filesystem::create_symlink(folder_.path() / "secret", AttemptFolder(1) / "rank-0.log");
  Call call;
  const auto reader = Logs(call);
  v1::LogChunk chunk;
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

// Two ranks write far more than is kept; the reader is cut off at random and goes on.
TEST_F(LogsTest, AReaderThatComesBackLosesOnlyWhatItIsTold) {
  constexpr int kLines = 8000;
  constexpr int kRanks = 2;
  const auto line = [](int number) { return fmt::format("line {:08d} {:=>40}\n", number, ""); };
  const int64_t line_bytes = std::ssize(line(0));
  std::thread writer([&] {
    std::mt19937 random(1);
    std::vector<launch::CappedLog> logs;
    for (int rank = 0; rank < kRanks; ++rank) {
      logs.emplace_back(AttemptFolder(1) / fmt::format("rank-{}.log", rank));
    }
    for (int i = 0; i < kLines; ++i) {
      for (launch::CappedLog& log : logs) log.Append(line(i));
      if (random() % 200 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    for (launch::CappedLog& log : logs) log.Close();
    manager_.Move("jobs/a", v1::JOB_STATE_SUCCEEDED);
  });
  std::mt19937 random(2);
  std::map<int, std::vector<int>> numbers;
  std::map<int, int64_t> left_out;
  v1::LogsRequest request;
  request.set_follow(true);
  bool ended = false;
  while (!ended) {
    Call call;
    const auto reader = Logs(call, request);
    v1::LogChunk chunk;
    bool cut = false;
    while (!cut && reader->Read(&chunk)) {
      request.set_resume_after(chunk.position());
      left_out[chunk.rank()] += chunk.left_out_bytes();
      ASSERT_EQ(std::ssize(chunk.text()) % line_bytes, 0) << "lines are not whole";
      for (int64_t at = 0; at < std::ssize(chunk.text()); at += line_bytes) {
        numbers[chunk.rank()].push_back(std::stoi(chunk.text().substr(at + 5, 8)));
      }
      cut = random() % 3 == 0;
    }
    if (cut) call.TryCancel();
    ended = reader->Finish().ok() && !cut;
  }
  writer.join();
  for (int rank = 0; rank < kRanks; ++rank) {
    int64_t missing = 0;
    int next = 0;
    for (const int number : numbers[rank]) {
      ASSERT_GE(number, next) << "repeated";
      missing += number - next;
      next = number + 1;
    }
    EXPECT_EQ(next, kLines);
    EXPECT_EQ(missing * line_bytes, left_out[rank]);
  }
}

}  // namespace
}  // namespace ltml::coordinator
