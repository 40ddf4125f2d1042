// What the manager tells of jobs beyond what is durable.
#include "tests/unit/service/fixture.h"

namespace ltml::service {
namespace {

using std::chrono::seconds;

class LiveTest : public ServiceTest {
 protected:
  v1::ServerConfig Config() override {
    auto config = ServiceTest::Config();
    config.mutable_monitoring()->mutable_grace()->set_seconds(3600);
    return config;
  }

  static v1::Progress At(int64_t step, double compute_seconds) {
    v1::Progress progress;
    progress.set_step(step);
    progress.mutable_times()->set_steps(step);
    progress.mutable_times()->set_compute_seconds(compute_seconds);
    return progress;
  }

  static std::shared_ptr<const v1::ClassStatistics> Seen(int64_t uniform, int64_t rebalanced) {
    auto statistics = std::make_shared<v1::ClassStatistics>();
    statistics->add_uniform_positives(uniform);
    statistics->add_rebalanced_positives(rebalanced);
    return statistics;
  }

  static v1::Report Validation(int64_t step) {
    v1::Report report;
    report.set_evaluated_on("validation");
    report.set_evaluated_step(step);
    return report;
  }

  // The attempt is lost; another one follows.
  void Lose(const std::shared_ptr<FakeRunner::Attempt>& attempt) {
    attempt->events.ended(Failed(v1::FAILURE_CAUSE_RANK_LOST));
    AttemptOf(attempt->job, attempt->epoch + 1);
  }
};

TEST_F(LiveTest, StepsThatAreRepeatedCountOnce) {
  const std::string job = Submit(Spec())->name();
  auto first = AttemptOf(job);
  first->events.rank_progress(0, At(80, 40));
  first->events.statistics(Seen(100, 50));
  Lose(first);
  auto second = AttemptOf(job, 2);
  second->events.statistics(Seen(60, 30));
  second->events.rank_progress(0, At(50, 10));
  LiveJob live = *manager_->Look(job);
  EXPECT_EQ(live.steps, 80);
  EXPECT_EQ(live.statistics->uniform_positives(0), 100);
  second->events.statistics(Seen(120, 60));
  second->events.rank_progress(0, At(90, 30));
  live = *manager_->Look(job);
  EXPECT_EQ(live.steps, 90);
  EXPECT_EQ(live.statistics->uniform_positives(0), 120);
  ASSERT_EQ(live.ranks.size(), 1u);
  EXPECT_EQ(live.ranks[0].times().compute_seconds(), 70);
}

TEST_F(LiveTest, StepDurationsComeFromRankZero) {
  const std::string job = Submit(Spec(2))->name();
  auto attempt = AttemptOf(job);
  attempt->events.rank_progress(0, At(10, 2));   // ten steps of 0.2 s
  attempt->events.rank_progress(0, At(10, 2));   // nothing since
  attempt->events.rank_progress(1, At(10, 90));  // another rank's
  attempt->events.rank_progress(0, At(12, 8));   // two steps of 3 s
  const Durations durations = manager_->Look(job)->step_durations;
  EXPECT_EQ(durations.sum_seconds(), 8);
  std::map<double, int64_t> counts;
  for (size_t i = 0; i < durations.bounds().size(); ++i) {
    if (durations.counts()[i] > 0) counts[durations.bounds()[i]] = durations.counts()[i];
  }
  EXPECT_EQ(counts, (std::map<double, int64_t>{{0.25, 10}, {5, 2}}));
}

TEST_F(LiveTest, KeepsTheLastTwoValidations) {
  const std::string job = Submit(Spec())->name();
  auto attempt = AttemptOf(job);
  EXPECT_EQ(manager_->Look(job)->validation, nullptr);
  for (const int64_t step : {100, 200, 200, 300}) attempt->events.evaluation(Validation(step));
  v1::Report test = Validation(400);
  test.set_evaluated_on("test");
  attempt->events.evaluation(test);
  const LiveJob live = *manager_->Look(job);
  EXPECT_EQ(live.validation->evaluated_step(), 300);
  EXPECT_EQ(live.validation_before->evaluated_step(), 200);
}

TEST_F(LiveTest, TellsWhenTheNewestCheckpointWasWritten) {
  const std::string job = Submit(Spec())->name();
  auto attempt = AttemptOf(job);
  EXPECT_FALSE(manager_->Get(job)->has_checkpoint_time());
  v1::CheckpointWritten checkpoint;
  checkpoint.set_step(50);
  attempt->events.checkpoint(checkpoint);
  ASSERT_TRUE(Eventually([&] { return manager_->Get(job)->has_checkpoint_time(); }));
  const auto events = *store_.Events(job, 0, 100);
  EXPECT_EQ(FromTimestamp(manager_->Get(job)->checkpoint_time()),
            FromTimestamp(events.back().time()));
}

TEST_F(LiveTest, ObservesJobsThatHaveStarted) {
  const std::string running = Submit(Spec(8))->name();
  AttemptOf(running);
  ASSERT_TRUE(Submit(Spec(8)).ok());
  Advance(seconds(100));
  const Observation seen = manager_->Observe();
  ASSERT_EQ(seen.live.size(), 1u);
  EXPECT_EQ(seen.live[0].job.name(), running);
  EXPECT_EQ(seen.jobs.at(v1::JOB_STATE_QUEUED), 1);
  EXPECT_EQ(seen.hosts.size(), 2u);
  EXPECT_GE(seen.longest_wait_seconds, 100);
  EXPECT_LT(seen.longest_wait_seconds, 160);
}

TEST_F(LiveTest, CountsTheWaitForSlots) {
  const std::string first = Submit(Spec(8))->name();
  AttemptOf(first);
  const std::string second = Submit(Spec(8))->name();
  Advance(seconds(400));
  AttemptOf(first)->events.ended(Ended(kSucceeded));
  AttemptOf(second);
  const Durations waits = manager_->Observe().queue_waits;
  EXPECT_GE(waits.sum_seconds(), 400);
  EXPECT_LT(waits.sum_seconds(), 460);
  EXPECT_EQ(manager_->Observe().longest_wait_seconds, 0);
}

TEST_F(LiveTest, EndedJobsAreToldForAGracePeriod) {
  const std::string job = Submit(Spec())->name();
  auto attempt = AttemptOf(job);
  attempt->events.statistics(Seen(7, 9));
  attempt->events.ended(Ended(kSucceeded));
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_SUCCEEDED));
  const Observation seen = manager_->Observe();
  ASSERT_EQ(seen.live.size(), 1u);
  EXPECT_EQ(seen.live[0].job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(seen.live[0].statistics->rebalanced_positives(0), 9);
  Restart();
  EXPECT_TRUE(manager_->Observe().live.empty());
  EXPECT_EQ(manager_->Look(job)->job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(manager_->Look("jobs/none").status().code(), absl::StatusCode::kNotFound);
}

class NoGraceTest : public ServiceTest {};  // a configuration without one keeps nothing

TEST_F(NoGraceTest, SeriesOfEndedJobsGo) {
  const std::string job = Submit(Spec())->name();
  AttemptOf(job)->events.ended(Ended(kSucceeded));
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_SUCCEEDED));
  EXPECT_TRUE(Eventually([&] { return manager_->Observe().live.empty(); }));
}

}  // namespace
}  // namespace ltml::service
