#include "worker/session/session.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"
#include "common/statistics/convert.h"
#include "tests/unit/session/fixture.h"

namespace ltml::session {
namespace {

using statistics::Compensation;
using statistics::DecayedTotals;
using statistics::WindowSums;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class SessionTest : public CoordinatorTest {
 protected:
  void ExpectAsDefined(const train::Grant& grant) const {
    const streams::AttemptOptions& attempt = options_.attempt;
    EXPECT_EQ(grant.version, grant.window - 2);
    EXPECT_EQ(grant.first_step, grant.window * attempt.window);
    EXPECT_EQ(grant.end_step, std::min((grant.window + 1) * attempt.window, attempt.steps));
    const DecayedTotals totals = Version(grant.version);
    EXPECT_TRUE(grant.totals == totals) << "window " << grant.window;
    EXPECT_TRUE(grant.compensation ==
                (grant.version < 0 ? Compensation::Neutral(attempt.classes)
                                   : statistics::Compensate(totals, attempt.prior, attempt.form)));
  }
  // A rank's life: every window, then `finished` with the sums of the last one.
  void Live(Session& session, int rank) {
    const int64_t last = (options_.attempt.steps - 1) / options_.attempt.window;
    for (int64_t w = 0; w <= last; ++w) {
      const auto grant = session.Await(w, seconds(20));
      ASSERT_TRUE(grant.ok()) << std::string(grant.status().message());
      ExpectAsDefined(*grant);
      if (w < last) session.Report(w, Sums(rank, w));
    }
    v1::Finished finished;
    finished.set_step(options_.attempt.steps);
    finished.mutable_last_window()->set_window(last);
    *finished.mutable_last_window()->mutable_sums() = statistics::ToProto(Sums(rank, last));
    session.Finish(finished);
  }
  void LiveAll() {
    std::vector<std::thread> ranks;
    for (int rank = options_.attempt.world_size - 1; rank >= 0; --rank) {
      ranks.emplace_back([this, rank] {
        const auto session = Open(RankOptions(rank));
        if (session != nullptr) Live(*session, rank);
      });
    }
    for (std::thread& rank : ranks) rank.join();
  }
  static std::string Message(const absl::Status& status) { return std::string(status.message()); }
};

TEST_F(SessionTest, GrantsOfThreeRanksEqualBruteForce) {
  StartServer();
  LiveAll();
  EXPECT_TRUE(server_->LatestTotals() == Version(5));
  for (const streams::RankView& view : server_->Ranks()) {
    EXPECT_TRUE(view.connected && view.finished && !view.lost);
    EXPECT_EQ(view.step, 23);
  }
  EXPECT_FALSE(server_->ProtocolFailure().has_value());
  EXPECT_EQ(told_.lines().size(), 6u);
}

TEST_F(SessionTest, TellsWhatTheStreamsHaveDelivered) {
  absl::Mutex mutex;
  std::vector<std::shared_ptr<const v1::ClassStatistics>> seen;
  options_.events.statistics = [&](const std::shared_ptr<const v1::ClassStatistics>& statistics) {
    const absl::MutexLock lock(&mutex);
    // A rank that finishes before the others brings nothing new.
    const bool news = seen.empty() || !std::ranges::equal(seen.back()->uniform_positives(),
                                                          statistics->uniform_positives());
    if (news) seen.push_back(statistics);
  };
  StartServer();
  LiveAll();
  server_.reset();
  const absl::MutexLock lock(&mutex);
  // At the start nothing, then window after window, and at the end the short one.
  ASSERT_EQ(seen.size(), 7u);
  EXPECT_TRUE(seen[0]->uniform_positives().empty());
  for (int64_t window = 0; window <= 4; ++window) {
    EXPECT_TRUE(std::ranges::equal(
        seen[window + 1]->rebalanced_positives(),
        Version(window).at(statistics::kRebalanced, statistics::kPositive).delivered));
  }
  EXPECT_TRUE(
      std::ranges::equal(seen.back()->uniform_positives(),
                         Version(5).at(statistics::kUniform, statistics::kPositive).delivered));
  const auto newest = statistics::ToProto(
      statistics::Compensate(Version(4), options_.attempt.prior, statistics::Form::kRelative));
  EXPECT_EQ(seen.back()->compensation().SerializeAsString(), newest.SerializeAsString());
}

TEST_F(SessionTest, TellsNoCompensationWithoutStatisticsNorAStreamThatIsNone) {
  std::shared_ptr<const v1::ClassStatistics> seen;
  absl::Mutex mutex;
  options_.attempt.compensate = false;
  options_.attempt.world_size = 1;
  options_.events.statistics = [&](const std::shared_ptr<const v1::ClassStatistics>& statistics) {
    const absl::MutexLock lock(&mutex);
    seen = statistics;
  };
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  WindowSums sums = Sums(0, 0);
  for (const auto sign : statistics::kSigns) {
    sums.at(statistics::kUniform, sign) = WindowSums(5).at(statistics::kUniform, sign);
  }
  session->Report(0, sums);
  ASSERT_TRUE(session->Await(2, seconds(10)).ok());
  const absl::MutexLock lock(&mutex);
  EXPECT_FALSE(seen->has_compensation());
  EXPECT_TRUE(seen->uniform_positives().empty());
  EXPECT_EQ(seen->rebalanced_positives_size(), 5);
}

TEST_F(SessionTest, ManyClasses) {
  options_.attempt.classes = 1000;
  options_.attempt.world_size = 2;
  StartServer();
  LiveAll();
  EXPECT_TRUE(server_->LatestTotals() == Version(5));
}

TEST_F(SessionTest, ResumesFromTheStateOfRankZero) {
  options_.attempt.world_size = 1;
  StartServer();
  SessionOptions options = RankOptions(0);
  const WindowSums open = RandomSums(99, 5);
  options.resume.emplace();
  options.resume->set_step(13);  // inside window 3
  *options.resume->mutable_totals_in_force() = statistics::ToProto(Version(1));
  *options.resume->mutable_previous_window() = statistics::ToProto(Sums(0, 2));
  *options.resume->mutable_open_window() = statistics::ToProto(open);
  const auto session = Open(options);
  ASSERT_NE(session, nullptr);
  for (int64_t w : {3, 4}) {
    const auto grant = session->Await(w, seconds(10));
    ASSERT_TRUE(grant.ok());
    ExpectAsDefined(*grant);
  }
  session->Report(3, Sums(0, 3));
  const auto grant = session->Await(5, seconds(10));
  ASSERT_TRUE(grant.ok());
  WindowSums third = open;
  third.Merge(Sums(0, 3));
  DecayedTotals expected = Version(2);
  expected.Fold(third, options_.attempt.decay);
  EXPECT_TRUE(grant->totals == expected);
}

TEST_F(SessionTest, ResumesInWindowZeroWithoutAPreviousOne) {
  options_.attempt.world_size = 1;
  StartServer();
  SessionOptions options = RankOptions(0);
  options.resume.emplace();
  options.resume->set_step(1);
  *options.resume->mutable_previous_window() = statistics::ToProto(WindowSums());
  *options.resume->mutable_open_window() = statistics::ToProto(Sums(0, 0));
  const auto session = Open(options);
  ASSERT_NE(session, nullptr);
  session->Report(0, WindowSums(5));
  const auto grant = session->Await(2, seconds(10));
  ASSERT_TRUE(grant.ok());
  ExpectAsDefined(*grant);
}

TEST_F(SessionTest, AwaitHasADeadline) {
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  const auto grant = session->Await(2, milliseconds(30));
  EXPECT_TRUE(absl::IsDeadlineExceeded(grant.status())) << Message(grant.status());
  EXPECT_NE(Message(grant.status()).find("window 2"), std::string::npos);
}

TEST_F(SessionTest, NoCoordinatorIsNamedByItsAddress) {
  SessionOptions options = RankOptions(0);
  options.connect_limit = milliseconds(200);
  const auto session = Session::Open(options);
  EXPECT_TRUE(absl::IsDeadlineExceeded(session.status())) << Message(session.status());
  EXPECT_NE(Message(session.status()).find(options_.address), std::string::npos);
}

TEST_F(SessionTest, WaitsForACoordinatorThatComesLate) {
  std::thread late([this] {
    absl::SleepFor(absl::Milliseconds(150));
    StartServer();
  });
  const auto session = Open(RankOptions(0));
  late.join();
  EXPECT_NE(session, nullptr);
}

TEST_F(SessionTest, RefusalsNameTheirReason) {
  StartServer();
  struct Case {
    const char* text;
    std::function<void(SessionOptions&)> change;
  };
  const Case cases[] = {
      {"wrong token", [](SessionOptions& o) { o.token = "secreT"; }},
      {"wrong token", [](SessionOptions& o) { o.token = "secret2"; }},
      {"wrong token", [](SessionOptions& o) { o.token = ""; }},
      {"attempt epoch 6", [](SessionOptions& o) { o.attempt_epoch = 6; }},
      {"job 'other' has no running attempt", [](SessionOptions& o) { o.job_id = "other"; }},
      {"this attempt has 3 ranks", [](SessionOptions& o) { o.rank = 3; }},
      {"this attempt has 3 ranks", [](SessionOptions& o) { o.world_size = 4; }},
  };
  for (const Case& c : cases) {
    SessionOptions options = RankOptions(0);
    c.change(options);
    const auto session = Session::Open(options);
    EXPECT_TRUE(absl::IsAborted(session.status())) << Message(session.status());
    EXPECT_NE(Message(session.status()).find(c.text), std::string::npos)
        << c.text << ": " << Message(session.status());
  }
  EXPECT_FALSE(server_->ProtocolFailure().has_value());
  EXPECT_FALSE(server_->Ranks()[0].connected);
}

TEST_F(SessionTest, CommandsReachRankZeroOnceAndInOrder) {
  StartServer();
  server_->SendCommand(v1::Command::KIND_CHECKPOINT);  // before anybody is there
  const auto first = Open(RankOptions(0));
  const auto second = Open(RankOptions(1));
  ASSERT_TRUE(first != nullptr && second != nullptr);
  server_->SendCommand(v1::Command::KIND_STOP);
  std::vector<train::Command> got;
  for (int i = 0; i < 500 && got.size() < 2; ++i) {
    const train::Command command = first->Poll();
    if (command != train::Command::kNone) got.push_back(command);
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(got, (std::vector{train::Command::kCheckpoint, train::Command::kStop}));
  EXPECT_EQ(first->Poll(), train::Command::kNone);
  EXPECT_EQ(second->Poll(), train::Command::kNone);
}

TEST_F(SessionTest, ACommandIsNotLostWithTheServerAndNotTakenTwice) {
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  server_->SendCommand(v1::Command::KIND_CHECKPOINT);
  server_->SendCommand(v1::Command::KIND_CHECKPOINT);
  const auto next = [&] {
    train::Command command = session->Poll();
    for (int i = 0; i < 2000 && command == train::Command::kNone; ++i) {
      absl::SleepFor(absl::Milliseconds(5));
      command = session->Poll();
    }
    return command;
  };
  EXPECT_EQ(next(), train::Command::kCheckpoint);
  EXPECT_EQ(next(), train::Command::kCheckpoint);
  server_.reset();
  StartServer();
  server_->SendCommand(v1::Command::KIND_STOP);  // numbered after what the rank has
  EXPECT_EQ(next(), train::Command::kStop);
  EXPECT_EQ(session->Poll(), train::Command::kNone);
}

TEST_F(SessionTest, CheckpointsAreConfirmed) {
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  for (int64_t step : {4, 8, 8}) {
    const absl::Status confirmed = session->ConfirmCheckpoint(step, seconds(20));
    EXPECT_TRUE(confirmed.ok()) << Message(confirmed);
  }
}

TEST_F(SessionTest, AConfirmationOutlastsAnOutageShorterThanTheLease) {
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  server_.reset();
  absl::Status confirmed = absl::UnknownError("not answered");
  std::thread rank([&] { confirmed = session->ConfirmCheckpoint(4, seconds(20)); });
  absl::SleepFor(absl::Milliseconds(100));
  StartServer();
  rank.join();
  EXPECT_TRUE(confirmed.ok()) << Message(confirmed);
}

TEST_F(SessionTest, AConfirmationHasADeadline) {
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  server_.reset();
  const absl::Status confirmed = session->ConfirmCheckpoint(4, milliseconds(50));
  EXPECT_TRUE(absl::IsDeadlineExceeded(confirmed)) << Message(confirmed);
  EXPECT_NE(Message(confirmed).find("limits.checkpoint"), std::string::npos);
}

TEST_F(SessionTest, ACheckpointOfAnAttemptThatIsOverIsNotConfirmed) {
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  server_.reset();
  options_.attempt.epoch = 8;  // the job has another attempt by now
  StartServer();
  const absl::Status confirmed = session->ConfirmCheckpoint(4, seconds(20));
  EXPECT_TRUE(absl::IsAborted(confirmed)) << Message(confirmed);
  EXPECT_NE(Message(confirmed).find("attempt epoch 7"), std::string::npos) << Message(confirmed);
}

TEST_F(SessionTest, WithoutAnAuthorityTheNetworkIsNotSpokenTo) {
  SessionOptions options = RankOptions(0);
  options.coordinator = "192.0.2.1:4000";
  const auto session = Session::Open(options);
  EXPECT_TRUE(absl::IsFailedPrecondition(session.status())) << Message(session.status());
}

TEST_F(SessionTest, WhatARankTellsArrivesOnceAndInOrder) {
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  std::vector<std::string> expected = {"hello 0"};
  for (int64_t step = 1; step <= 200; ++step) {
    session->Step({.step = step});
    expected.push_back("metrics 0 " + Text(step));
  }
  session->CheckpointDone(200, "step-200");
  v1::Report report;
  report.set_evaluated_step(200);
  session->EvaluationDone(report);
  session->Progress(train::Phase::kCheckpoint, 3, 200);
  session->Fail(v1::FAILURE_CAUSE_DATA, "no such image");
  expected.insert(expected.end(),
                  {"checkpoint 0 step-200", "evaluation 0 200", "failure 0 no such image"});
  EXPECT_EQ(told_.lines(), expected);
  EXPECT_FALSE(server_->Ranks()[0].lost);
}

TEST_F(SessionTest, ProgressGoesUpByItself) {
  options_.lease = milliseconds(500);
  StartServer();
  const auto session = Open(RankOptions(1));
  ASSERT_NE(session, nullptr);
  session->Progress(train::Phase::kEvaluation, 12, 8);
  streams::RankView view;
  for (int i = 0; i < 500 && view.counter != 12; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
    view = server_->Ranks()[1];
  }
  EXPECT_EQ(view.phase, v1::PHASE_EVALUATION);
  EXPECT_EQ(view.counter, 12);
  EXPECT_EQ(view.step, 8);
  const streams::Time moved = view.last_progress;
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(server_->Ranks()[1].last_progress, moved);
  EXPECT_GT(server_->Ranks()[1].last_message, moved);
}

TEST_F(SessionTest, TimesGoUpAsSums) {
  options_.lease = milliseconds(500);
  options_.events.progress = [this](int rank, const v1::Progress& progress) {
    const v1::RankTimes& times = progress.times();
    if (times.steps() < 5) return;
    told_.Add(fmt::format("rank {}: {} {} {} {} {}", rank, times.steps(), times.data_wait_seconds(),
                          times.compute_seconds(), times.collective_wait_seconds(),
                          times.grant_wait_seconds()));
  };
  StartServer();
  const auto session = Open(RankOptions(1));
  ASSERT_NE(session, nullptr);
  session->Times({.steps = 2,
                  .data_wait_seconds = 0.5,
                  .compute_seconds = 4,
                  .collective_wait_seconds = 0.25,
                  .grant_wait_seconds = 0.125});
  session->Times({.steps = 3,
                  .data_wait_seconds = 1,
                  .compute_seconds = 8,
                  .collective_wait_seconds = 2,
                  .grant_wait_seconds = 0});
  ASSERT_TRUE(told_.AwaitCount(3));
  // The first of them may have been made between two of the sums.
  EXPECT_EQ(told_.lines().back(), "rank 1: 5 1.5 12 2.25 0.125");
}

TEST_F(SessionTest, KeepAlivesRenewTheLease) {
  options_.lease = milliseconds(500);
  StartServer();
  const auto session = Open(RankOptions(1));
  ASSERT_NE(session, nullptr);
  const auto grant = session->Await(0, milliseconds(1200));
  EXPECT_TRUE(absl::IsDeadlineExceeded(grant.status())) << Message(grant.status());
}

TEST_F(SessionTest, ALostCoordinatorEndsTheAttemptByTheLease) {
  options_.lease = milliseconds(600);
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  const auto start = Clock::now();
  server_.reset();
  const auto grant = session->Await(2, seconds(20));
  EXPECT_TRUE(absl::IsAborted(grant.status())) << Message(grant.status());
  EXPECT_NE(Message(grant.status()).find("limits.lease"), std::string::npos);
  EXPECT_LT(Clock::now() - start, seconds(4));
  session->Fail(v1::FAILURE_CAUSE_COORDINATOR_LOST, "returns at once");
  EXPECT_LT(Clock::now() - start, seconds(5));
}

TEST_F(SessionTest, ACoordinatorThatComesBackWithinTheLeaseGetsEverythingAgain) {
  options_.attempt.world_size = 1;
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  ASSERT_TRUE(told_.AwaitCount(1));
  server_.reset();
  session->Report(0, Sums(0, 0));
  session->Step({.step = 4});
  StartServer();
  const auto grant = session->Await(2, seconds(10));
  ASSERT_TRUE(grant.ok()) << Message(grant.status());
  ExpectAsDefined(*grant);
  ASSERT_TRUE(told_.AwaitCount(3));
  EXPECT_EQ(told_.lines(), (std::vector<std::string>{"hello 0", "hello 0", "metrics 0 4"}));
}

TEST_F(SessionTest, AnEvaluationHasNoGrants) {
  options_.training = false;
  StartServer();
  const auto session = Open(RankOptions(0));
  ASSERT_NE(session, nullptr);
  EXPECT_TRUE(absl::IsFailedPrecondition(session->Await(0, seconds(10)).status()));
  v1::Finished finished;
  session->Finish(finished);
  EXPECT_EQ(told_.lines(), (std::vector<std::string>{"hello 0", "end 0"}));
}

TEST_F(SessionTest, BrokenProtocolFailsTheAttempt) {
  StartServer();
  const auto session = Open(RankOptions(1));
  const auto first = Open(RankOptions(0));
  ASSERT_TRUE(session != nullptr && first != nullptr);
  session->Report(3, Sums(1, 3));
  const auto grant = session->Await(2, seconds(10));
  EXPECT_TRUE(absl::IsAborted(grant.status())) << Message(grant.status());
  const auto failure = server_->ProtocolFailure();
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->cause(), v1::FAILURE_CAUSE_PROTOCOL);
  EXPECT_EQ(failure->rank(), 1);
  EXPECT_FALSE(failure->host().empty());
  EXPECT_NE(failure->message().find("expected window 0"), std::string::npos) << failure->message();
}

TEST_F(SessionTest, TheServerEndsWithinASecondAndARankThatLeavesIsSeen) {
  StartServer();
  auto session = Open(RankOptions(0));
  const auto other = Open(RankOptions(1));
  ASSERT_TRUE(session != nullptr && other != nullptr);
  session.reset();
  for (int i = 0; i < 500 && !server_->Ranks()[0].lost; ++i) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_TRUE(server_->Ranks()[0].lost);
  EXPECT_FALSE(server_->Ranks()[1].lost);
  const auto start = Clock::now();
  server_.reset();
  EXPECT_LT(Clock::now() - start, milliseconds(1500));
}

}  // namespace
}  // namespace ltml::session
