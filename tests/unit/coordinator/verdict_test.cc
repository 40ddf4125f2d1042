#include "coordinator/app/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ltml::coordinator {
namespace {

using jobs::RunOutcome;

using namespace std::chrono_literals;
using ::testing::HasSubstr;

const streams::Time kStart = streams::Time() + 1h;

v1::Failure FailureOf(v1::FailureCause cause, int rank, const std::string& message = "") {
  v1::Failure failure;
  failure.set_cause(cause);
  failure.set_rank(rank);
  failure.set_message(message);
  return failure;
}

v1::Finished FinishedAt(int64_t step, bool stopped = false) {
  v1::Finished finished;
  finished.set_step(step);
  finished.set_stopped(stopped);
  return finished;
}

// Two ranks at step 40 that were heard of just now.
Ending TwoRanks() {
  Ending ending;
  for (int rank = 0; rank < 2; ++rank) {
    streams::RankView view;
    view.connected = true;
    view.host = "node" + std::to_string(rank);
    view.phase = v1::PHASE_STEP;
    view.step = 40;
    view.last_message = kStart;
    ending.ranks.push_back(view);
  }
  ending.now = kStart;
  return ending;
}

class VerdictTest : public ::testing::Test {
 protected:
  Verdict verdict_{2, "here"};
};

TEST_F(VerdictTest, NotStartedIsNobodysFault) {
  Ending ending;
  ending.record.set_exit_status(-1);
  ending.record.set_not_started(true);
  const RunOutcome outcome = verdict_.Conclude(ending);
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kNotStarted);
  EXPECT_EQ(outcome.failure.cause(), v1::FAILURE_CAUSE_UNSPECIFIED);
}

TEST_F(VerdictTest, SucceedsWhenEveryRankFinished) {
  verdict_.OnFinished(0, FinishedAt(100));
  EXPECT_FALSE(verdict_.all_finished());
  verdict_.OnFinished(1, FinishedAt(100));
  const RunOutcome outcome = verdict_.Conclude(TwoRanks());
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kSucceeded);
  EXPECT_EQ(outcome.step, 100);
}

TEST_F(VerdictTest, IsStoppedWhenRanksFinishedByCommand) {
  verdict_.OnFinished(0, FinishedAt(30, true));
  verdict_.OnFinished(1, FinishedAt(30, true));
  const RunOutcome outcome = verdict_.Conclude(TwoRanks());
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kStopped);
  EXPECT_EQ(outcome.step, 30);
}

TEST_F(VerdictTest, FailureAfterAllFinishedChangesNothing) {
  verdict_.OnFinished(0, FinishedAt(9));
  verdict_.OnFinished(1, FinishedAt(9));
  verdict_.OnFailure(FailureOf(v1::FAILURE_CAUSE_RANK_SILENT, 1), kStart);
  EXPECT_FALSE(verdict_.Settled(kStart + 1h).has_value());
  EXPECT_EQ(verdict_.Conclude(TwoRanks()).kind, RunOutcome::Kind::kSucceeded);
}

TEST_F(VerdictTest, FirstCauseWins) {
  verdict_.OnFailure(FailureOf(v1::FAILURE_CAUSE_DATA, 1), kStart);
  verdict_.OnFailure(FailureOf(v1::FAILURE_CAUSE_NON_FINITE, 0), kStart);
  EXPECT_EQ(verdict_.Settled(kStart)->cause(), v1::FAILURE_CAUSE_DATA);
  EXPECT_EQ(verdict_.Conclude(TwoRanks()).failure.cause(), v1::FAILURE_CAUSE_DATA);
}

TEST_F(VerdictTest, EffectWaitsASecondForItsCause) {
  verdict_.OnFailure(FailureOf(v1::FAILURE_CAUSE_COLLECTIVE, 0), kStart);
  EXPECT_FALSE(verdict_.Settled(kStart + 900ms).has_value());
  EXPECT_EQ(verdict_.Settled(kStart + 1s)->cause(), v1::FAILURE_CAUSE_COLLECTIVE);
  verdict_.OnFailure(FailureOf(v1::FAILURE_CAUSE_DATA, 1), kStart + 900ms);
  EXPECT_EQ(verdict_.Settled(kStart + 900ms)->cause(), v1::FAILURE_CAUSE_DATA);
  EXPECT_EQ(verdict_.Conclude(TwoRanks()).failure.rank(), 1);
}

TEST_F(VerdictTest, KilledRankBeatsTheCollectiveErrorsOfOthers) {
  verdict_.OnFailure(FailureOf(v1::FAILURE_CAUSE_COLLECTIVE, 0), kStart);
  Ending ending = TwoRanks();
  ending.record.set_exit_status(137);
  ending.rank_exit = launch::RankExit{.rank = 1, .signal = 9};
  const v1::Failure failure = verdict_.Conclude(ending).failure;
  EXPECT_EQ(failure.cause(), v1::FAILURE_CAUSE_RANK_LOST);
  EXPECT_EQ(failure.rank(), 1);
  EXPECT_EQ(failure.host(), "node1");
  EXPECT_EQ(failure.step(), 40);
  EXPECT_EQ(failure.phase(), v1::PHASE_STEP);
  EXPECT_THAT(failure.message(), HasSubstr("signal 9"));
}

TEST_F(VerdictTest, RankThatMpirunEndedOnRequestIsNotBlamed) {
  verdict_.OnFailure(FailureOf(v1::FAILURE_CAUSE_RANK_SILENT, 0), kStart);
  Ending ending = TwoRanks();
  ending.record.set_stop_reason("silent");
  ending.rank_exit = launch::RankExit{.rank = 1, .signal = 15};
  EXPECT_EQ(verdict_.Conclude(ending).failure.rank(), 0);
}

TEST_F(VerdictTest, RankThatFellSilentBeforeTheOthersFailedIsNamed) {
  verdict_.OnFailure(FailureOf(v1::FAILURE_CAUSE_COLLECTIVE, 0, "all_reduce took too long"),
                     kStart);
  Ending ending = TwoRanks();
  ending.ranks[1].last_message = kStart - 10s;
  const v1::Failure failure = verdict_.Conclude(ending).failure;
  EXPECT_EQ(failure.cause(), v1::FAILURE_CAUSE_RANK_SILENT);
  EXPECT_EQ(failure.rank(), 1);
  EXPECT_THAT(failure.message(), HasSubstr("10.0 s"));
  EXPECT_THAT(failure.message(), HasSubstr("all_reduce took too long"));
}

TEST_F(VerdictTest, EffectStandsWhenNothingBetterIsKnown) {
  verdict_.OnFailure(FailureOf(v1::FAILURE_CAUSE_COLLECTIVE, 0), kStart);
  EXPECT_EQ(verdict_.Conclude(TwoRanks()).failure.cause(), v1::FAILURE_CAUSE_COLLECTIVE);
}

TEST_F(VerdictTest, NobodyConnectedIsALaunchFailureWithTheLog) {
  Ending ending;
  ending.ranks.resize(2);
  ending.record.set_exit_status(127);
  ending.rank_exit = launch::RankExit{.rank = 0, .exit_status = 127};
  ending.log_tail = "libfoo.so: not found";
  const v1::Failure failure = verdict_.Conclude(ending).failure;
  EXPECT_EQ(failure.cause(), v1::FAILURE_CAUSE_LAUNCH);
  EXPECT_EQ(failure.host(), "here");
  EXPECT_THAT(failure.message(), HasSubstr("status 127"));
  EXPECT_THAT(failure.message(), HasSubstr("libfoo.so"));
}

TEST_F(VerdictTest, LogIsAddedToALaunchFailureOfTheCoordinator) {
  verdict_.OnFailure(FailureOf(v1::FAILURE_CAUSE_LAUNCH, -1, "nobody came"), kStart);
  Ending ending = TwoRanks();
  ending.log_tail = "why";
  EXPECT_THAT(verdict_.Conclude(ending).failure.message(), HasSubstr("why"));
}

TEST_F(VerdictTest, KilledMpirunAndSupervisorAreLaunchFailures) {
  Ending ending = TwoRanks();
  ending.record.set_signal(9);
  EXPECT_THAT(verdict_.Conclude(ending).failure.message(), HasSubstr("mpirun was killed"));
  ending.record.set_exit_status(-1);
  ending.record.set_stop_reason("the supervisor was killed by signal 9");
  const v1::Failure failure = verdict_.Conclude(ending).failure;
  EXPECT_EQ(failure.cause(), v1::FAILURE_CAUSE_LAUNCH);
  EXPECT_EQ(failure.rank(), -1);
  EXPECT_THAT(failure.message(), HasSubstr("supervisor"));
}

TEST_F(VerdictTest, RankThatVanishedIsNamedByItsSession) {
  Ending ending = TwoRanks();
  ending.ranks[1].lost = true;
  const v1::Failure failure = verdict_.Conclude(ending).failure;
  EXPECT_EQ(failure.cause(), v1::FAILURE_CAUSE_RANK_LOST);
  EXPECT_EQ(failure.rank(), 1);
}

TEST_F(VerdictTest, StatusOfAnEndedLeaseMeansThatTheCoordinatorWasLost) {
  Ending ending = TwoRanks();
  ending.rank_exit = launch::RankExit{.rank = 1, .exit_status = 75};
  EXPECT_EQ(verdict_.Conclude(ending).failure.cause(), v1::FAILURE_CAUSE_COORDINATOR_LOST);
}

TEST_F(VerdictTest, InterruptIsNoFailure) {
  verdict_.OnStep(17);
  Ending ending = TwoRanks();
  ending.interrupted = true;
  const RunOutcome outcome = verdict_.Conclude(ending);
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kStopped);
  EXPECT_EQ(outcome.step, 17);
  EXPECT_THAT(outcome.failure.message(), HasSubstr("at once"));
}

}  // namespace
}  // namespace ltml::coordinator
