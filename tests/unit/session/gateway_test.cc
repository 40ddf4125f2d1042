#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/time/clock.h"
#include "common/base/token_digest.h"
#include "common/statistics/convert.h"
#include "coordinator/rpc/worker_gateway.h"
#include "tests/unit/session/fixture.h"
#include "tests/unit/session/gateway_server.h"
#include "tests/unit/session/memory_journal.h"
#include "tests/unit/session/raw_rank.h"

namespace ltml::coordinator {
namespace {

using statistics::WindowSums;
using Clock = std::chrono::steady_clock;

class GatewayTest : public CoordinatorTest {
 protected:
  AttemptSessionsOptions SessionsOptions(const std::string& job_id) {
    AttemptSessionsOptions options;
    options.job_id = job_id;
    options.attempt = options_.attempt;
    options.token_sha256 = base::TokenDigest("secret");
    options.lease = options_.lease;
    options.events = options_.events;
    options.journal = &journal_;
    options.restored = journal_.entries();
    return options;
  }
  std::unique_ptr<AttemptSessions> Add(const std::string& job_id) {
    auto sessions = server_->gateway().Add(SessionsOptions(job_id));
    EXPECT_TRUE(sessions.ok()) << std::string(sessions.status().message());
    return sessions.ok() ? *std::move(sessions) : nullptr;
  }
  v1::WorkerMessage Message() const {
    v1::WorkerMessage message;
    message.set_attempt_epoch(7);
    return message;
  }
  v1::WorkerMessage Report(int64_t window, const WindowSums& sums) const {
    v1::WorkerMessage message = Message();
    message.mutable_window_report()->set_window(window);
    *message.mutable_window_report()->mutable_sums() = statistics::ToProto(sums);
    return message;
  }
  v1::WorkerMessage Finished(int64_t step) const {
    v1::WorkerMessage message = Message();
    message.mutable_finished()->set_step(step);
    return message;
  }
  // The reason for which a stream that begins with `message` is refused.
  std::string RefusalOf(const v1::WorkerMessage& message) {
    RawRank rank(server_->address());
    rank.Write(message);
    const std::string reason = rank.Read().refusal().reason();
    EXPECT_EQ(rank.Finish().error_code(), grpc::StatusCode::ABORTED);
    return reason;
  }

  MemoryJournal journal_;
  std::unique_ptr<GatewayServer> server_ = std::make_unique<GatewayServer>(0);
};

TEST_F(GatewayTest, StreamsGoToTheJobThatTheirHelloNames) {
  options_.attempt.world_size = 1;
  server_->gateway().Open();
  const auto one = Add("one"), two = Add("two");
  ASSERT_TRUE(one != nullptr && two != nullptr);
  RawRank rank(server_->address());
  rank.Write(HelloOf({.world_size = 1, .job_id = "two"}));
  EXPECT_EQ(rank.Read().grant().window(), 0);
  EXPECT_FALSE(one->Ranks()[0].connected);
  EXPECT_TRUE(two->Ranks()[0].connected);
}

TEST_F(GatewayTest, AJobHasOneAttempt) {
  auto first = Add("one");
  EXPECT_TRUE(absl::IsAlreadyExists(server_->gateway().Add(SessionsOptions("one")).status()));
  first.reset();
  EXPECT_TRUE(server_->gateway().Add(SessionsOptions("one")).ok());
}

TEST_F(GatewayTest, OptionsWithoutSenseAreRefused) {
  AttemptSessionsOptions options = SessionsOptions("one");
  options.token_sha256 = "short";
  EXPECT_TRUE(absl::IsInvalidArgument(server_->gateway().Add(options).status()));
  options = SessionsOptions("one");
  options.attempt.world_size = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(server_->gateway().Add(options).status()));
}

TEST_F(GatewayTest, UnknownJobsComeAgainUntilItIsOpenAndAreRefusedAfterwards) {
  {
    RawRank rank(server_->address());
    rank.Write(HelloOf({.job_id = "one"}));
    EXPECT_EQ(rank.Read().kind_case(), v1::CoordinatorMessage::KIND_NOT_SET);
    EXPECT_EQ(rank.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  server_->gateway().Open();
  EXPECT_NE(RefusalOf(HelloOf({.job_id = "one"})).find("'one' has no running attempt"),
            std::string::npos);
}

TEST_F(GatewayTest, ARankWaitsForAServerThatStarts) {
  options_.attempt.world_size = 1;
  session::SessionOptions options = RankOptions(0);
  options.coordinator = server_->address();
  std::unique_ptr<session::Session> session;
  std::thread rank([&] { session = Open(options); });
  absl::SleepFor(absl::Milliseconds(200));
  const auto sessions = Add("job-1");
  server_->gateway().Open();
  rank.join();
  EXPECT_NE(session, nullptr);
}

TEST_F(GatewayTest, FirstMessagesThatFitNothingAreRefused) {
  server_->gateway().Open();
  const auto sessions = Add("job-1");
  const auto refused = [&](const HelloOptions& options, const char* text) {
    const std::string reason = RefusalOf(HelloOf(options));
    EXPECT_NE(reason.find(text), std::string::npos) << reason;
  };
  refused({.token = "secreT"}, "wrong token");
  refused({.token = base::TokenDigest("secret").substr(0, 0)}, "wrong token");
  refused({.epoch = 6}, "attempt epoch 6");
  refused({.epoch = 8}, "attempt epoch 8");
  refused({.rank = -1}, "3 ranks");
  refused({.rank = 3}, "3 ranks");
  refused({.world_size = 2}, "3 ranks");
  refused({.token = std::string(100000, 'x')}, "more than 512 bytes");
  refused({.job_id = std::string(100000, 'x')}, "more than 512 bytes");
  EXPECT_NE(RefusalOf(MetricsOf(7, 1)).find("not a hello"), std::string::npos);
  EXPECT_NE(RefusalOf(v1::WorkerMessage()).find("not a hello"), std::string::npos);
  EXPECT_FALSE(sessions->ProtocolFailure().has_value());
  EXPECT_FALSE(sessions->Ranks()[0].connected);
  v1::WorkerMessage ahead = HelloOf({});
  ahead.mutable_hello()->set_last_command_id(-1);
  EXPECT_NE(RefusalOf(ahead).find("command -1"), std::string::npos);
}

TEST_F(GatewayTest, AMessageAboveTheLimitEndsItsStreamAlone) {
  options_.attempt.world_size = 2;
  server_->gateway().Open();
  const auto sessions = Add("job-1");
  RawRank other(server_->address());
  other.Write(HelloOf({.rank = 0, .world_size = 2}));
  EXPECT_EQ(other.Read().grant().window(), 0);
  {
    grpc::ChannelArguments arguments = rpc::ClientArguments();
    arguments.SetMaxSendMessageSize(-1);
    const auto stub = v1::WorkerService::NewStub(grpc::CreateCustomChannel(
        server_->address(), grpc::InsecureChannelCredentials(), arguments));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    const auto stream = stub->Session(&context);
    v1::WorkerMessage huge = HelloOf({.rank = 1, .world_size = 2});
    huge.mutable_hello()->set_host(std::string(rpc::kMessageLimitBytes, 'x'));
    stream->Write(huge);
    v1::CoordinatorMessage message;
    while (stream->Read(&message)) EXPECT_FALSE(message.has_grant());
    EXPECT_FALSE(stream->Finish().ok());
  }
  EXPECT_EQ(other.Read().grant().window(), 1);
  EXPECT_FALSE(sessions->Ranks()[1].connected);
}

TEST_F(GatewayTest, MessagesThatBreakTheProtocolFailTheAttempt) {
  const auto broken = [&](int sender, v1::WorkerMessage message, const char* text) {
    GatewayServer server(0);
    server.gateway().Open();
    const auto sessions = server.gateway().Add(SessionsOptions("job-1"));
    ASSERT_TRUE(sessions.ok());
    RawRank rank(server.address());
    rank.Write(HelloOf({.rank = sender}));
    rank.Write(message);
    v1::CoordinatorMessage answer = rank.Read();
    while (answer.has_grant()) answer = rank.Read();
    EXPECT_NE(answer.refusal().reason().find(text), std::string::npos)
        << text << ": " << answer.ShortDebugString();
    const auto failure = (*sessions)->ProtocolFailure();
    ASSERT_TRUE(failure.has_value()) << text;
    EXPECT_EQ(failure->cause(), v1::FAILURE_CAUSE_PROTOCOL);
    EXPECT_EQ(failure->rank(), sender);
  };
  journal_.Cut();
  v1::WorkerMessage message = Message();
  broken(0, message, "empty message");
  broken(0, HelloOf({}), "second hello");
  broken(0, Report(1, RandomSums(1, 5)), "expected window 0");
  broken(0, Report(0, RandomSums(1, 4)), "rank 0, window 0");
  broken(0, Report(-1, RandomSums(1, 5)), "older");
  message.mutable_checkpoint_ready()->set_step(4);
  broken(1, message, "expected rank 0");
  message.mutable_checkpoint_ready()->set_step(24);
  broken(0, message, "of step 24");
  message.mutable_progress()->set_last_command_id(1);
  broken(0, message, "command 1, the last one was 0");
}

TEST_F(GatewayTest, GrantsWaitForTheJournal) {
  options_.attempt.world_size = 1;
  server_->gateway().Open();
  journal_.Hold();
  const auto sessions = Add("job-1");
  RawRank rank(server_->address());
  rank.Write(HelloOf({.world_size = 1}));
  ASSERT_TRUE(journal_.AwaitCalls(1));
  // The answer to a confirmation overtakes the grants, which wait.
  v1::WorkerMessage ready = Message();
  ready.mutable_checkpoint_ready()->set_step(0);
  rank.Write(ready);
  EXPECT_TRUE(rank.Read().has_checkpoint_confirmed());
  journal_.Release();
  EXPECT_EQ(rank.Read().grant().window(), 0);
  EXPECT_EQ(rank.Read().grant().window(), 1);
  journal_.Hold();
  rank.Write(Report(0, RandomSums(1, 5)));
  ASSERT_TRUE(journal_.AwaitCalls(2));
  rank.Write(Report(0, RandomSums(1, 5)));  // the repeat's answer waits as well
  rank.Write(ready);
  EXPECT_TRUE(rank.Read().has_checkpoint_confirmed());
  journal_.Release();
  EXPECT_EQ(rank.Read().grant().window(), 2);
  EXPECT_EQ(rank.Read().grant().window(), 2);
  ASSERT_EQ(journal_.entries().size(), 2u);
  EXPECT_TRUE(journal_.entries()[0].has_start());
  EXPECT_EQ(journal_.entries()[1].window().window(), 0);
}

TEST_F(GatewayTest, WhatTheJournalRefusesIsTriedAgain) {
  options_.attempt.world_size = 1;
  server_->gateway().Open();
  journal_.Refuse(2);
  const auto sessions = Add("job-1");
  const auto start = Clock::now();
  RawRank rank(server_->address());
  rank.Write(HelloOf({.world_size = 1}));
  EXPECT_EQ(rank.Read().grant().window(), 0);
  EXPECT_GT(Clock::now() - start, std::chrono::milliseconds(500));
  EXPECT_EQ(journal_.entries().size(), 1u);
}

TEST_F(GatewayTest, AFinishIsAcknowledgedWhenItIsDurable) {
  options_.attempt.world_size = 1;
  server_->gateway().Open();
  const auto sessions = Add("job-1");
  RawRank rank(server_->address());
  rank.Write(HelloOf({.world_size = 1}));
  for (int64_t w : {0, 1}) EXPECT_EQ(rank.Read().grant().window(), w);
  journal_.Hold();
  rank.Write(Finished(6));
  ASSERT_TRUE(journal_.AwaitCalls(2));
  std::atomic<bool> ended = false;
  std::thread reader([&] {
    EXPECT_TRUE(rank.End().ok());
    ended = true;
  });
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_FALSE(ended);
  journal_.Release();
  reader.join();
  EXPECT_TRUE(journal_.entries().back().has_finished());
}

TEST_F(GatewayTest, FinishesAndFailuresInTheJournalAreToldByAdd) {
  server_->gateway().Open();
  {
    const auto sessions = Add("job-1");
    RawRank zero(server_->address()), one(server_->address());
    zero.Write(HelloOf({.rank = 0}));
    zero.Write(Finished(6));
    EXPECT_TRUE(zero.End().ok());
    v1::WorkerMessage failure = Message();
    failure.mutable_failure()->set_message("out of paper");
    one.Write(HelloOf({.rank = 1}));
    one.Write(failure);
    EXPECT_TRUE(one.End().ok());
  }
  const size_t before = told_.lines().size();
  const auto sessions = Add("job-1");
  const std::vector<std::string> lines = told_.lines();
  EXPECT_EQ(std::vector<std::string>(lines.begin() + static_cast<int64_t>(before), lines.end()),
            (std::vector<std::string>{"end 0", "failure 1 out of paper"}));
  EXPECT_TRUE(sessions->Ranks()[0].finished);
  EXPECT_EQ(sessions->Ranks()[0].step, 6);
  // It did not hear that it was heard: nothing is told twice.
  RawRank zero(server_->address());
  zero.Write(HelloOf({.rank = 0}));
  zero.Write(Finished(6));
  EXPECT_TRUE(zero.End().ok());
  EXPECT_EQ(told_.lines().size(), before + 3);  // with its hello
}

TEST_F(GatewayTest, AJournalThatMakesNoSenseIsDataLoss) {
  const auto refused = [&](const std::function<void(v1::JournalEntry&)>& fill) {
    AttemptSessionsOptions options = SessionsOptions("job-1");
    fill(options.restored.emplace_back());
    return absl::IsDataLoss(server_->gateway().Add(options).status());
  };
  EXPECT_TRUE(refused([](v1::JournalEntry& e) { e.mutable_window()->set_window(0); }));
  EXPECT_TRUE(refused([](v1::JournalEntry& e) { e.mutable_finished()->set_rank(3); }));
  EXPECT_TRUE(refused([](v1::JournalEntry& e) { e.mutable_failure()->set_rank(-1); }));
  EXPECT_TRUE(
      refused([](v1::JournalEntry& e) { e.mutable_start()->mutable_resume()->set_step(24); }));
  EXPECT_TRUE(refused([](v1::JournalEntry& e) {
    *e.mutable_start()->mutable_resume()->mutable_open_window() =
        statistics::ToProto(RandomSums(1, 4));
  }));
}

TEST_F(GatewayTest, SessionsThatEndTakeTheirStreamsWithThemAndRefuseTheRest) {
  server_->gateway().Open();
  auto sessions = Add("job-1");
  RawRank rank(server_->address());
  rank.Write(HelloOf({}));
  EXPECT_EQ(rank.Read().grant().window(), 0);
  const auto start = Clock::now();
  sessions.reset();
  EXPECT_LT(Clock::now() - start, std::chrono::milliseconds(1500));
  while (rank.Read().kind_case() != v1::CoordinatorMessage::KIND_NOT_SET) {
  }
  EXPECT_EQ(rank.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(RefusalOf(HelloOf({})).find("no running attempt"), std::string::npos);
}

TEST_F(GatewayTest, CommandsAreSentAgainUntilTheyAreAcknowledged) {
  server_->gateway().Open();
  const auto sessions = Add("job-1");
  sessions->SendCommand(v1::Command::KIND_CHECKPOINT);
  sessions->SendCommand(v1::Command::KIND_STOP);
  const auto commands = [&](const v1::WorkerMessage& hello) {
    RawRank rank(server_->address());
    rank.Write(hello);
    std::vector<int64_t> ids;
    for (v1::CoordinatorMessage message = rank.Read();
         message.has_command() || !message.has_grant() || message.grant().window() < 1;
         message = rank.Read()) {
      if (message.has_command()) ids.push_back(message.command().id());
      if (message.kind_case() == v1::CoordinatorMessage::KIND_NOT_SET) break;
    }
    return ids;
  };
  v1::WorkerMessage hello = HelloOf({});
  hello.mutable_hello()->set_last_command_id(5);  // of an earlier server
  EXPECT_EQ(commands(hello), (std::vector<int64_t>{6, 7}));
  EXPECT_EQ(commands(hello), (std::vector<int64_t>{6, 7}));
  hello.mutable_hello()->set_last_command_id(6);
  EXPECT_EQ(commands(hello), (std::vector<int64_t>{7}));
  hello.mutable_hello()->set_last_command_id(7);
  EXPECT_EQ(commands(hello), (std::vector<int64_t>{}));
}

TEST_F(GatewayTest, StreamsWithoutAHelloAreEnded) {
  server_->gateway().Open();
  RawRank rank(server_->address(), std::chrono::seconds(40));
  EXPECT_EQ(rank.Read().kind_case(), v1::CoordinatorMessage::KIND_NOT_SET);
  const grpc::Status status = rank.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(status.error_message(), "no hello within 10 s");
}

}  // namespace
}  // namespace ltml::coordinator
