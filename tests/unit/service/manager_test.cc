#include <random>
#include <set>

#include "common/rpc/details.h"
#include "tests/unit/service/fixture.h"

namespace ltml::service {
namespace {

using ManagerTest = ServiceTest;

TEST_F(ManagerTest, AJobLivesToItsEnd) {
  const auto job = Submit(Spec(2));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->run_folder(), "/runs/" + job->name().substr(5));
  EXPECT_EQ(job->classes(), 20);
  auto attempt = AttemptOf(job->name());
  attempt->events.connected();
  ASSERT_TRUE(Reaches(job->name(), v1::JOB_STATE_RUNNING));
  attempt->events.progress(12);
  v1::Progress progress;
  progress.set_step(12);
  progress.mutable_times()->set_compute_seconds(4);
  attempt->events.rank_progress(1, progress);
  const v1::Job running = *manager_->Get(job->name());
  EXPECT_EQ(running.step(), 12);
  ASSERT_EQ(running.ranks_size(), 2);
  EXPECT_EQ(running.ranks(1).host(), running.attempts(0).placements(0).host());
  EXPECT_EQ(running.ranks(1).times().compute_seconds(), 4);
  EXPECT_FALSE(running.ranks(0).has_last_message_time());
  const auto listed = manager_->List({});
  ASSERT_EQ(listed->jobs.size(), 1u);
  EXPECT_EQ(listed->jobs[0].step(), 12);
  EXPECT_EQ(listed->jobs[0].ranks_size(), 0);
  v1::CheckpointWritten checkpoint;
  checkpoint.set_step(500);
  attempt->events.checkpoint(checkpoint);
  attempt->events.checkpoint(checkpoint);
  v1::Report report;
  report.set_evaluated_step(500);
  attempt->events.evaluation(report);
  attempt->events.evaluation(report);
  attempt->events.ended(Ended(kSucceeded));
  ASSERT_TRUE(Reaches(job->name(), v1::JOB_STATE_SUCCEEDED));
  EXPECT_EQ(History(job->name()), "SUBMIT PLACE CONNECT FINISH ");
  EXPECT_EQ(store_.Events(job->name(), 0, 100)->size(), 6u);
  const auto ended = *manager_->Get(job->name());
  EXPECT_EQ(ended.step(), 1000);
  EXPECT_EQ(ended.ranks_size(), 0);
  EXPECT_EQ(ended.evaluations_size(), 1);
  EXPECT_EQ(ended.attempts(0).last_step(), 1000);
  EXPECT_EQ(manager_->Hosts()[0].used_slots() + manager_->Hosts()[1].used_slots(), 0);
  EXPECT_EQ(manager_->Observe().jobs[v1::JOB_STATE_SUCCEEDED], 1);
}

TEST_F(ManagerTest, PausesResumesAndCancelsARunningJob) {
  const std::string job = Submit(Spec())->name();
  auto first = AttemptOf(job);
  first->events.connected();
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_RUNNING));
  EXPECT_EQ(Pause(job)->stop_goal(), v1::JOB_STATE_PAUSED);
  EXPECT_EQ(Pause(job)->stop_goal(), v1::JOB_STATE_PAUSED);
  ASSERT_TRUE(Eventually([&] { return runner_->IsStopped(*first); }));
  first->events.ended(Ended(kStopped, 10));
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_PAUSED));
  EXPECT_TRUE(Resume(job).ok());
  auto second = AttemptOf(job, 2);
  EXPECT_EQ(Cancel(job)->stop_goal(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(Pause(job).status().code(), absl::StatusCode::kFailedPrecondition);
  second->events.ended(Failed(v1::FAILURE_CAUSE_RANK_LOST));
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_CANCELLED));
  EXPECT_TRUE(Cancel(job).ok());
  EXPECT_EQ(Resume(job).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ManagerTest, ChecksWhoAsksAndForWhat) {
  const std::string job = Submit(Spec())->name();
  EXPECT_EQ(Cancel("jobs/none").status().code(), absl::StatusCode::kNotFound);
  ada_.user = "bob";
  EXPECT_EQ(Cancel(job).status().code(), absl::StatusCode::kPermissionDenied);
  ada_.all_jobs = true;
  EXPECT_TRUE(Cancel(job).ok());
}

TEST_F(ManagerTest, RefusesWhatThePoolCannotHold) {
  const auto status = Submit(Spec(9)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const auto violations = rpc::FieldViolations(status);
  ASSERT_FALSE(violations.empty());
  EXPECT_EQ(violations.back().field, "resources.ranks");
  EXPECT_EQ(violations.back().description,
            "asks for 9 ranks of 1 core; the pool's cpu hosts hold 8 such ranks: a 4, b 4");
  EXPECT_GT(manager_->Validate(Spec(9)).violations_size(), 0);
  EXPECT_EQ(manager_->Validate(Spec(8)).violations_size(), 0);
}

TEST_F(ManagerTest, RetriesWithinTheBudgetAndCoolsTheHost) {
  const std::string job = Submit(Spec())->name();
  for (int epoch = 1; epoch <= 4; ++epoch) {
    AttemptOf(job, epoch)->events.ended(Failed(v1::FAILURE_CAUSE_RANK_LOST, "a"));
  }
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_FAILED));
  EXPECT_EQ(manager_->Get(job)->cluster_failures(), 4);
  EXPECT_EQ(manager_->Hosts()[0].state(), v1::Host::STATE_COOLDOWN);
  Advance(std::chrono::seconds(61));
  EXPECT_EQ(manager_->Hosts()[0].state(), v1::Host::STATE_READY);
}

TEST_F(ManagerTest, AnAttemptThatWasNeverStartedCostsNoRestart) {
  auto spec = Spec();
  spec.mutable_queue()->set_cluster_restarts(0);
  const std::string job = Submit(spec)->name();
  AttemptOf(job);
  Restart();
  AttemptOf(job, 1)->events.ended(Ended(kNotStarted, 0));
  AttemptOf(job, 2)->events.ended(Ended(kSucceeded));
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_SUCCEEDED));
  EXPECT_EQ(History(job), "SUBMIT PLACE RETRY PLACE FINISH ");
  EXPECT_EQ(manager_->Get(job)->cluster_failures(), 0);
  EXPECT_FALSE(manager_->Get(job)->attempts(0).has_failure());
}

TEST_F(ManagerTest, AnAttemptThatWasStoppedBeforeItStartedIsStopped) {
  const std::string job = Submit(Spec())->name();
  const auto attempt = AttemptOf(job);
  EXPECT_TRUE(Cancel(job).ok());
  attempt->events.ended(Ended(kNotStarted, 0));
  EXPECT_TRUE(Reaches(job, v1::JOB_STATE_CANCELLED));
}

TEST_F(ManagerTest, AttemptsAreLeftAllAtOnce) {
  for (int i = 0; i < 3; ++i) AttemptOf(Submit(Spec())->name());
  manager_.reset();
  EXPECT_EQ(runner_->endings(),
            (std::vector<std::string>{"detach", "detach", "detach", "end", "end", "end"}));
}

TEST_F(ManagerTest, AFolderThatCannotBePreparedFailsTheAttempt) {
  Prepared(absl::InternalError("no space left"));
  auto spec = Spec();
  spec.mutable_queue()->set_cluster_restarts(0);
  const std::string job = Submit(spec)->name();
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_FAILED));
  EXPECT_EQ(manager_->Get(job)->failure().cause(), v1::FAILURE_CAUSE_STORAGE);
  EXPECT_TRUE(runner_->all().empty());
}

TEST_F(ManagerTest, ExpiresAfterMaxWaitAlsoOverARestart) {
  const std::string big = Submit(Spec(8))->name();
  AttemptOf(big);
  auto spec = Spec(8);
  spec.mutable_queue()->mutable_max_wait()->set_seconds(100);
  const std::string job = Submit(spec)->name();
  EXPECT_NE(manager_->Get(job)->wait_reason().find("needs 8 ranks"), std::string::npos);
  Advance(std::chrono::seconds(60));
  Restart();
  Advance(std::chrono::seconds(50));
  EXPECT_TRUE(Reaches(job, v1::JOB_STATE_FAILED));
}

TEST_F(ManagerTest, SubmitsOnceForARequestId) {
  const auto first = Submit(Spec(), "r1");
  EXPECT_EQ(Submit(Spec(), "r1")->name(), first->name());
  Restart();
  EXPECT_EQ(Submit(Spec(), "r1")->name(), first->name());
  auto other = Spec();
  other.mutable_schedule()->set_steps(7);
  const auto status = Submit(other, "r1").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(std::string(status.message()).find("schedule.steps"), std::string::npos) << status;
  EXPECT_EQ(Submit(Spec(), "a b").status().code(), absl::StatusCode::kInvalidArgument);
  Advance(std::chrono::hours(25));
  EXPECT_NE(Submit(Spec(), "r1")->name(), first->name());
}

TEST_F(ManagerTest, ConcurrentSubmitsOfOneIdMakeOneJob) {
  absl::Mutex mutex;
  std::set<std::string> names;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      const auto job = Submit(Spec(), "same");
      const absl::MutexLock lock(&mutex);
      names.insert(job.ok() ? job->name() : job.status().ToString());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(names.size(), 1u) << *names.begin();
}

TEST_F(ManagerTest, NothingIsLostWhileTheStoreRefuses) {
  const std::string job = Submit(Spec())->name();
  auto attempt = AttemptOf(job);
  store_.Refuse(true);
  EXPECT_EQ(Submit(Spec()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Pause(job).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(manager_->Get(job)->state(), v1::JOB_STATE_STARTING);
  attempt->events.connected();
  attempt->events.ended(Ended(kSucceeded));
  EXPECT_EQ(manager_->Get(job)->state(), v1::JOB_STATE_STARTING);
  store_.Refuse(false);
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_SUCCEEDED));
  EXPECT_EQ(History(job), "SUBMIT PLACE CONNECT FINISH ");
}

TEST_F(ManagerTest, DrainsAndPreempts) {
  const std::string job = Submit(Spec())->name();
  auto attempt = AttemptOf(job);
  const auto host = manager_->Get(job)->attempts(0).placements(0).host();
  v1::DrainRequest request;
  request.set_host(host);
  request.set_preempt(true);
  std::promise<absl::StatusOr<v1::Host>> answer;
  manager_->Drain(request, ada_, [&](auto result) { answer.set_value(result); });
  EXPECT_EQ(answer.get_future().get()->state(), v1::Host::STATE_DRAINING);
  ASSERT_TRUE(Eventually([&] { return runner_->IsStopped(*attempt); }));
  attempt->events.ended(Ended(kStopped, 10));
  AttemptOf(job, 2);
  EXPECT_EQ(History(job), "SUBMIT PLACE PREEMPT STOPPED RESUME PLACE ");
  EXPECT_NE(manager_->Get(job)->attempts(1).placements(0).host(), host);
  Restart();
  EXPECT_EQ(manager_->Hosts()[0].state(), v1::Host::STATE_DRAINED);
}

TEST_F(ManagerTest, ARestartAdoptsWhatHoldsSlotsOnce) {
  const std::string starting = Submit(Spec())->name();
  const std::string running = Submit(Spec())->name();
  const std::string stopping = Submit(Spec(6))->name();
  const std::string queued = Submit(Spec(8))->name();
  AttemptOf(starting);
  AttemptOf(running)->events.connected();
  AttemptOf(stopping);
  ASSERT_TRUE(Reaches(running, v1::JOB_STATE_RUNNING));
  EXPECT_TRUE(Cancel(stopping).ok());
  const std::string paused = Submit(Spec(8))->name();
  EXPECT_EQ(Pause(paused)->state(), v1::JOB_STATE_PAUSED);
  Restart();
  auto adopted = AttemptOf(stopping);
  ASSERT_TRUE(Eventually([&] { return runner_->IsStopped(*adopted); }));
  EXPECT_EQ(runner_->all().size(), 3u);
  for (const auto& attempt : runner_->all()) EXPECT_TRUE(attempt->adopted);
  AttemptOf(running)->events.connected();
  AttemptOf(running)->events.ended(Ended(kSucceeded));
  AttemptOf(starting)->events.ended(Failed(v1::FAILURE_CAUSE_LAUNCH));
  adopted->events.ended(Ended(kStopped));
  EXPECT_TRUE(Reaches(stopping, v1::JOB_STATE_CANCELLED));
  EXPECT_TRUE(Reaches(running, v1::JOB_STATE_SUCCEEDED));
  AttemptOf(starting, 2)->events.ended(Ended(kSucceeded));
  AttemptOf(queued)->events.ended(Ended(kSucceeded));
  EXPECT_TRUE(Reaches(queued, v1::JOB_STATE_SUCCEEDED));
  EXPECT_EQ(manager_->Get(paused)->state(), v1::JOB_STATE_PAUSED);
  EXPECT_EQ(History(running), "SUBMIT PLACE CONNECT FINISH ");
}

TEST_F(ManagerTest, SlotsAreNeverOversubscribed) {
  std::mt19937 random(3);
  constexpr int kJobs = 300;
  std::vector<std::string> jobs;
  for (int i = 0; i < kJobs; ++i) {
    jobs.push_back(Submit(Spec(static_cast<int>(random() % 8) + 1))->name());
  }
  size_t done = 0;
  const auto finish_one = [&] {
    const auto all = runner_->all();
    for (; done < all.size(); ++done) all[done]->events.ended(Ended(kSucceeded));
    return manager_->Observe().jobs[v1::JOB_STATE_SUCCEEDED] == kJobs;
  };
  ASSERT_TRUE(Eventually(finish_one));
  std::map<int64_t, v1::JobEvent> events;
  for (const auto& job : jobs) {
    for (const auto stored = store_.Events(job, 0, 100); const auto& event : *stored)
      events[event.sequence()] = event;
  }
  std::map<std::string, int> used;
  std::map<std::string, std::map<std::string, int>> held;
  for (const auto& [sequence, event] : events) {
    for (const auto& placement : event.state_change().placements()) {
      used[placement.host()] += placement.slots();
      held[event.job()][placement.host()] += placement.slots();
      ASSERT_LE(used[placement.host()], 4) << "event " << sequence;
    }
    if (event.state_change().trigger() != v1::JOB_TRIGGER_FINISH) continue;
    for (const auto& [host, slots] : held[event.job()]) used[host] -= slots;
  }
  EXPECT_EQ(used["a"] + used["b"], 0);
}

class Recorder : public JobListener {
 public:
  void OnEvent(const v1::JobEvent& event) override {
    const absl::MutexLock lock(&mutex_);
    sequences_.push_back(event.sequence());
    ended_ = ended_ || (event.has_state_change() && jobs::IsTerminal(event.state_change().to()));
  }
  void OnJob(const v1::Job& /*job*/) override {
    const absl::MutexLock lock(&mutex_);
    ++jobs_;
  }
  bool ended() {
    const absl::MutexLock lock(&mutex_);
    return ended_;
  }
  int jobs() {
    const absl::MutexLock lock(&mutex_);
    return jobs_;
  }
  std::vector<int64_t> sequences() {
    const absl::MutexLock lock(&mutex_);
    return sequences_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<int64_t> sequences_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  int jobs_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST_F(ManagerTest, WatchersMissAndRepeatNothing) {
  const std::string job = Submit(Spec())->name();
  auto attempt = AttemptOf(job);
  attempt->events.connected();
  std::vector<std::shared_ptr<Recorder>> recorders;
  std::vector<std::unique_ptr<JobManager::Subscription>> subscriptions;
  absl::Mutex mutex;
  std::thread writer([&] {
    for (int step = 1; step <= 400; ++step) {
      v1::CheckpointWritten checkpoint;
      checkpoint.set_step(step);
      attempt->events.checkpoint(checkpoint);
    }
    attempt->events.ended(Ended(kSucceeded));
  });
  std::vector<std::thread> watchers;
  for (int t = 0; t < 8; ++t) {
    watchers.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        auto recorder = std::make_shared<Recorder>();
        auto subscription = manager_->Watch(job, 0, recorder);
        ASSERT_TRUE(subscription.ok());
        if (i % 2 == 0) continue;
        const absl::MutexLock lock(&mutex);
        recorders.push_back(recorder);
        subscriptions.push_back(*std::move(subscription));
      }
    });
  }
  writer.join();
  for (auto& watcher : watchers) watcher.join();
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_SUCCEEDED));
  std::vector<int64_t> expected;
  for (const auto events = store_.Events(job, 0, 10000); const auto& event : *events)
    expected.push_back(event.sequence());
  for (const auto& recorder : recorders) {
    ASSERT_TRUE(Eventually([&] { return recorder->ended(); }));
    EXPECT_EQ(recorder->sequences(), expected);
    EXPECT_GE(recorder->jobs(), 1);
  }
  auto late = std::make_shared<Recorder>();
  auto subscription = manager_->Watch(job, expected[100], late);
  ASSERT_TRUE(Eventually([&] { return late->ended(); }));
  EXPECT_EQ(late->sequences(), std::vector<int64_t>(expected.begin() + 101, expected.end()));
  EXPECT_EQ(manager_->Watch("jobs/none", 0, late).status().code(), absl::StatusCode::kNotFound);
}

class LimitTest : public ServiceTest {
 protected:
  v1::ServerConfig Config() override {
    auto config = ServiceTest::Config();
    config.mutable_limits()->set_jobs_per_user(2);
    return config;
  }
};

TEST_F(LimitTest, CountsTheJobsOfAUserThatHaveNotEnded) {
  const std::string job = Submit(Spec())->name();
  ASSERT_TRUE(Submit(Spec()).ok());
  EXPECT_EQ(Submit(Spec()).status().code(), absl::StatusCode::kResourceExhausted);
  AttemptOf(job)->events.ended(Ended(kSucceeded));
  ASSERT_TRUE(Reaches(job, v1::JOB_STATE_SUCCEEDED));
  EXPECT_TRUE(Submit(Spec()).ok());
}

class GpuTest : public ServiceTest {
 protected:
  v1::ServerConfig Config() override {
    auto config = ServiceTest::Config();
    for (auto& host : *config.mutable_hosts()) host.set_device(v1::Resources::DEVICE_CUDA);
    return config;
  }
  std::string Start(int ranks) {
    auto spec = Spec(ranks);
    spec.mutable_resources()->set_device(v1::Resources::DEVICE_CUDA);
    const std::string job = Submit(spec)->name();
    AttemptOf(job);
    return job;
  }
  void End(const std::string& job) {
    AttemptOf(job)->events.ended(Ended(kSucceeded));
    EXPECT_TRUE(Reaches(job, v1::JOB_STATE_SUCCEEDED));
  }
  // "a: 0 1, b: 0"
  std::string Gpus(const std::string& job) {
    std::string text;
    const v1::Job now = *manager_->Get(job);
    for (const auto& placement : now.attempts().rbegin()->placements()) {
      text += (text.empty() ? "" : ", ") + placement.host() + ":";
      for (const int device : placement.devices()) text += " " + std::to_string(device);
    }
    return text;
  }
};

TEST_F(GpuTest, EachRankHasAGpuOfItsOwn) {
  const std::string one = Start(1);
  const std::string two = Start(2);
  EXPECT_EQ(Gpus(one), "a: 0");
  EXPECT_EQ(Gpus(two), "a: 1 2");
  End(one);
  const std::string both_hosts = Start(6);
  EXPECT_EQ(Gpus(both_hosts), "b: 0 1 2 3, a: 0 3");
  Restart();
  EXPECT_TRUE(AttemptOf(two)->adopted);
  EXPECT_EQ(Gpus(two), "a: 1 2");
  End(two);
  const std::string last = Start(2);
  EXPECT_EQ(Gpus(last), "a: 1 2");
  for (const auto& job : {both_hosts, last}) End(job);
  EXPECT_EQ(Gpus(Start(4)), "a: 0 1 2 3");
}

}  // namespace
}  // namespace ltml::service
