#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "coordinator/jobs/job_store.h"

namespace ltml::jobs {

// What every JobStore must do.  A store's test names how it is made and opened again:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, JobStoreContract, testing::Values(&MakeMemoryStore));
//
// `Reopen` of the fixture closes the store and opens it on the same content; null for one that
// keeps nothing.
struct StoreUnderTest {
  virtual ~StoreUnderTest() = default;
  virtual JobStore& store() = 0;
  // False: it keeps nothing when it is closed.
  virtual bool Reopen() = 0;
};
using MakeStore = std::unique_ptr<StoreUnderTest> (*)();

inline google::protobuf::Timestamp AtSecond(int64_t seconds) {
  google::protobuf::Timestamp time;
  time.set_seconds(seconds);
  return time;
}

inline std::chrono::system_clock::time_point PointAt(int64_t seconds) {
  return std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
}

inline v1::Job StoredJob(const std::string& id, v1::JobState state = v1::JOB_STATE_QUEUED) {
  v1::Job job;
  job.set_name("jobs/" + id);
  job.mutable_spec()->set_name("clipart");
  job.mutable_spec()->mutable_schedule()->set_steps(100);
  job.set_owner("ada");
  job.set_state(state);
  *job.mutable_submit_time() = AtSecond(1000);
  job.add_evaluations()->set_step(7);
  job.add_attempts()->set_epoch(1);
  return job;
}

inline v1::JobEvent StoredEvent(const std::string& id, int64_t sequence) {
  v1::JobEvent event;
  event.set_sequence(sequence);
  event.set_job("jobs/" + id);
  *event.mutable_time() = AtSecond(1000 + sequence);
  event.mutable_checkpoint()->set_step(sequence);
  return event;
}

inline Change::Journal Window(const std::string& id, int64_t epoch, int64_t window) {
  Change::Journal journal{"jobs/" + id, epoch, {}};
  journal.entry.mutable_window()->set_window(window);
  return journal;
}

class JobStoreContract : public testing::TestWithParam<MakeStore> {
 protected:
  void SetUp() override { tested_ = GetParam()(); }

  JobStore& store() { return tested_->store(); }
  bool Reopen() { return tested_->Reopen(); }

  absl::Status Commit(Change change) {
    std::promise<absl::Status> answer;
    store().Commit(std::move(change),
                   [&](const absl::Status& status) { answer.set_value(status); });
    auto future = answer.get_future();
    if (future.wait_for(std::chrono::seconds(60)) != std::future_status::ready) std::abort();
    return future.get();
  }

  void AddJobs(int count) {
    for (int i = 0; i < count; ++i) {
      Change change;
      change.jobs.push_back(StoredJob(std::to_string(i)));
      ASSERT_TRUE(Commit(std::move(change)).ok());
    }
  }

  // Names of all jobs of a query, page by page.
  std::vector<std::string> Names(v1::ListJobsRequest query) {
    std::vector<std::string> names;
    while (true) {
      auto page = store().List(query);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return names;
      for (const auto& job : page->jobs) names.push_back(job.name());
      if (page->next_page_token.empty() || names.size() > 10000) return names;
      query.set_page_token(page->next_page_token);
    }
  }

 private:
  std::unique_ptr<StoreUnderTest> tested_;
};

TEST_P(JobStoreContract, AnEmptyStoreHoldsNothing) {
  const auto snapshot = store().Load();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_TRUE(snapshot->jobs.empty() && snapshot->attempts.empty() && snapshot->hosts.empty());
  EXPECT_EQ(snapshot->last_event, 0);
  EXPECT_TRUE(snapshot->ended_jobs.empty());
  EXPECT_TRUE(store().List({})->jobs.empty());
}

TEST_P(JobStoreContract, GivesBackAWholeJob) {
  Change change;
  change.jobs.push_back(StoredJob("a"));
  ASSERT_TRUE(Commit(change).ok());
  const auto job = store().Job("jobs/a");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->SerializeAsString(), change.jobs[0].SerializeAsString());
}

TEST_P(JobStoreContract, NamesAJobThatIsNotThere) {
  const auto status = store().Job("jobs/b").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(std::string(status.message()).find("jobs/b"), std::string::npos) << status;
}

TEST_P(JobStoreContract, ReplacesAJobAndKeepsItsPlace) {
  AddJobs(3);
  Change change;
  change.jobs.push_back(StoredJob("0", v1::JOB_STATE_RUNNING));
  ASSERT_TRUE(Commit(change).ok());
  const auto snapshot = store().Load();
  ASSERT_EQ(snapshot->jobs.size(), 3u);
  EXPECT_EQ(snapshot->jobs[0].name(), "jobs/0");
  EXPECT_EQ(snapshot->jobs[0].state(), v1::JOB_STATE_RUNNING);
}

TEST_P(JobStoreContract, LoadsWhatHasNotEndedWithItsNewestAttempt) {
  Change change;
  change.jobs = {StoredJob("a", v1::JOB_STATE_RUNNING), StoredJob("b", v1::JOB_STATE_SUCCEEDED),
                 StoredJob("c", v1::JOB_STATE_SUCCEEDED), StoredJob("d", v1::JOB_STATE_FAILED),
                 StoredJob("e")};
  for (const auto& [job, epoch] : std::vector<std::pair<std::string, int>>{
           {"jobs/a", 1}, {"jobs/a", 2}, {"jobs/a", 10}, {"jobs/b", 3}}) {
    v1::AttemptRecord record;
    record.set_job(job);
    record.mutable_attempt()->set_epoch(epoch);
    record.set_token_sha256(std::string("\x00\xff", 2));
    record.set_launch_id("mark");
    change.attempts.push_back(record);
  }
  change.events = {StoredEvent("a", 1), StoredEvent("b", 5)};
  ASSERT_TRUE(Commit(change).ok());
  const auto snapshot = store().Load();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  ASSERT_EQ(snapshot->jobs.size(), 2u);
  EXPECT_EQ(snapshot->jobs[0].name(), "jobs/a");
  EXPECT_EQ(snapshot->jobs[1].name(), "jobs/e");
  ASSERT_EQ(snapshot->attempts.size(), 1u);
  EXPECT_EQ(snapshot->attempts[0].SerializeAsString(), change.attempts[2].SerializeAsString());
  EXPECT_EQ(snapshot->last_event, 5);
  EXPECT_EQ(snapshot->ended_jobs,
            (std::map<std::string, int64_t>{{"SUCCEEDED", 2}, {"FAILED", 1}}));
}

TEST_P(JobStoreContract, ReplacesHosts) {
  v1::HostRecord host;
  host.set_name("a");
  host.set_drained(true);
  Change first;
  first.hosts = {host};
  ASSERT_TRUE(Commit(first).ok());
  host.set_drained(false);
  host.set_note("back");
  *host.mutable_cooldown_end() = AtSecond(77);
  Change second;
  second.hosts = {host};
  ASSERT_TRUE(Commit(second).ok());
  const auto snapshot = store().Load();
  ASSERT_EQ(snapshot->hosts.size(), 1u);
  EXPECT_EQ(snapshot->hosts[0].SerializeAsString(), host.SerializeAsString());
}

TEST_P(JobStoreContract, ReadsEventsOfAJobFromAPlaceOn) {
  Change change;
  for (int i = 1; i <= 20; ++i)
    change.events.push_back(StoredEvent(i % 2 == 0 ? "even" : "odd", i));
  ASSERT_TRUE(Commit(change).ok());
  const auto events = store().Events("jobs/even", 4, 3);
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ((*events)[i].SerializeAsString(), StoredEvent("even", 6 + 2 * i).SerializeAsString());
  }
  EXPECT_EQ(store().Events("jobs/odd", 0, 1000)->size(), 10u);
  EXPECT_TRUE(store().Events("jobs/odd", 19, 1000)->empty());
  EXPECT_TRUE(store().Events("jobs/none", 0, 1000)->empty());
}

TEST_P(JobStoreContract, ListsInBothOrdersPageByPage) {
  AddJobs(7);
  v1::ListJobsRequest query;
  query.set_page_size(3);
  query.set_order(v1::ListJobsRequest::ORDER_OLDEST_FIRST);
  const std::vector<std::string> oldest = {"jobs/0", "jobs/1", "jobs/2", "jobs/3",
                                           "jobs/4", "jobs/5", "jobs/6"};
  EXPECT_EQ(Names(query), oldest);
  query.set_order(v1::ListJobsRequest::ORDER_NEWEST_FIRST);
  EXPECT_EQ(Names(query), std::vector<std::string>(oldest.rbegin(), oldest.rend()));
  query.set_order(v1::ListJobsRequest::ORDER_UNSPECIFIED);
  EXPECT_EQ(Names(query), std::vector<std::string>(oldest.rbegin(), oldest.rend()));
}

TEST_P(JobStoreContract, PagesAreFullAndTheLastOneHasNoToken) {
  AddJobs(60);
  EXPECT_EQ(store().List({})->jobs.size(), 50u);
  EXPECT_FALSE(store().List({})->next_page_token.empty());
  v1::ListJobsRequest query;
  query.set_page_size(60);
  EXPECT_TRUE(store().List(query)->next_page_token.empty());
  query.set_page_size(5000);
  EXPECT_EQ(store().List(query)->jobs.size(), 60u);
}

TEST_P(JobStoreContract, ListsWithoutWhatGrows) {
  AddJobs(1);
  const auto page = store().List({});
  EXPECT_EQ(page->jobs[0].attempts_size(), 0);
  EXPECT_EQ(page->jobs[0].evaluations_size(), 0);
  EXPECT_EQ(page->jobs[0].spec().schedule().steps(), 100);
}

TEST_P(JobStoreContract, FiltersByStateOwnerAndName) {
  Change change;
  change.jobs = {StoredJob("a"), StoredJob("b", v1::JOB_STATE_RUNNING),
                 StoredJob("c", v1::JOB_STATE_FAILED), StoredJob("d")};
  change.jobs[3].set_owner("bob");
  change.jobs[2].mutable_spec()->set_name("other");
  ASSERT_TRUE(Commit(change).ok());
  v1::ListJobsRequest query;
  query.set_order(v1::ListJobsRequest::ORDER_OLDEST_FIRST);
  query.add_states(v1::JOB_STATE_QUEUED);
  query.add_states(v1::JOB_STATE_FAILED);
  query.set_page_size(1);
  EXPECT_EQ(Names(query), (std::vector<std::string>{"jobs/a", "jobs/c", "jobs/d"}));
  query.set_owner("ada");
  EXPECT_EQ(Names(query), (std::vector<std::string>{"jobs/a", "jobs/c"}));
  query.set_job_name("clipart");
  EXPECT_EQ(Names(query), (std::vector<std::string>{"jobs/a"}));
}

TEST_P(JobStoreContract, JobsThatComeWhilePagesAreReadRepeatNothing) {
  AddJobs(4);
  v1::ListJobsRequest query;
  query.set_page_size(2);
  const auto first = store().List(query);
  Change change;
  change.jobs = {StoredJob("late")};
  ASSERT_TRUE(Commit(change).ok());
  query.set_page_token(first->next_page_token);
  EXPECT_EQ(Names(query), (std::vector<std::string>{"jobs/1", "jobs/0"}));
}

TEST_P(JobStoreContract, RefusesForeignTokens) {
  AddJobs(4);
  v1::ListJobsRequest query;
  query.set_page_size(2);
  const std::string token = store().List(query)->next_page_token;
  query.set_page_token(token);
  query.set_page_size(1);
  EXPECT_TRUE(store().List(query).ok());
  query.set_owner("ada");
  EXPECT_EQ(store().List(query).status().code(), absl::StatusCode::kInvalidArgument);
  query.clear_owner();
  query.set_order(v1::ListJobsRequest::ORDER_OLDEST_FIRST);
  EXPECT_EQ(store().List(query).status().code(), absl::StatusCode::kInvalidArgument);
  for (const std::string& garbage :
       {std::string("x"), std::string("1"), token + "x", std::string(5000, 'A')}) {
    v1::ListJobsRequest bad;
    bad.set_page_token(garbage);
    EXPECT_EQ(store().List(bad).status().code(), absl::StatusCode::kInvalidArgument) << garbage;
  }
}

TEST_P(JobStoreContract, FindsASubmitOfItsOwnerInTime) {
  v1::SubmitRecord record;
  record.set_owner("ada");
  record.set_request_id("r1");
  record.set_job("jobs/a");
  record.mutable_request()->mutable_spec()->set_name("clipart");
  *record.mutable_time() = AtSecond(5000);
  Change change;
  change.submit = record;
  ASSERT_TRUE(Commit(change).ok());
  const auto found = store().FindSubmit("ada", "r1", PointAt(4000));
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_EQ((*found)->SerializeAsString(), record.SerializeAsString());
  EXPECT_TRUE(store().FindSubmit("ada", "r1", PointAt(5000))->has_value());
  EXPECT_FALSE(store().FindSubmit("ada", "r1", PointAt(5001))->has_value());
  EXPECT_FALSE(store().FindSubmit("bob", "r1", PointAt(0))->has_value());
  EXPECT_FALSE(store().FindSubmit("ada", "r2", PointAt(0))->has_value());
}

TEST_P(JobStoreContract, ALaterSubmitUnderTheSameIdReplacesTheEarlier) {
  for (const int64_t second : {100, 200}) {
    Change change;
    change.submit.emplace();
    change.submit->set_owner("ada");
    change.submit->set_request_id("r1");
    change.submit->set_job("jobs/" + std::to_string(second));
    *change.submit->mutable_time() = AtSecond(second);
    ASSERT_TRUE(Commit(change).ok());
  }
  EXPECT_EQ((*store().FindSubmit("ada", "r1", PointAt(0)))->job(), "jobs/200");
}

TEST_P(JobStoreContract, KeepsTheJournalOfTheNewestWindowsInOrder) {
  Change change;
  change.journal.push_back({"jobs/a", 1, {}});
  change.journal.back().entry.mutable_start();
  for (int window = 0; window < 6; ++window) change.journal.push_back(Window("a", 1, window));
  change.journal.push_back(Window("a", 2, 0));
  change.journal.push_back(Window("b", 1, 0));
  change.journal.push_back({"jobs/a", 1, {}});
  change.journal.back().entry.mutable_finished()->set_rank(3);
  ASSERT_TRUE(Commit(change).ok());
  const auto entries = store().Journal("jobs/a", 1);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 5u);
  EXPECT_TRUE((*entries)[0].has_start());
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*entries)[i + 1].window().window(), 3 + i);
  EXPECT_EQ((*entries)[4].finished().rank(), 3);
  EXPECT_EQ(store().Journal("jobs/a", 2)->size(), 1u);
  EXPECT_EQ(store().Journal("jobs/b", 1)->size(), 1u);
}

TEST_P(JobStoreContract, ForgetsTheJournalOfEndedAttempts) {
  Change change;
  change.journal = {Window("a", 1, 0), Window("a", 2, 0)};
  ASSERT_TRUE(Commit(change).ok());
  Change end;
  end.ended_attempts = {{"jobs/a", 1}};
  ASSERT_TRUE(Commit(end).ok());
  EXPECT_TRUE(store().Journal("jobs/a", 1)->empty());
  EXPECT_EQ(store().Journal("jobs/a", 2)->size(), 1u);
}

TEST_P(JobStoreContract, AnswersInTheOrderOfCommitsFromAnotherThread) {
  constexpr int kCommits = 500;
  absl::Mutex mutex;
  std::vector<int> answers;
  std::set<std::thread::id> threads;
  for (int i = 0; i < kCommits; ++i) {
    Change change;
    change.events.push_back(StoredEvent("a", i + 1));
    store().Commit(std::move(change), [&, i](const absl::Status& status) {
      EXPECT_TRUE(status.ok()) << status;
      const absl::MutexLock lock(&mutex);
      answers.push_back(i);
      threads.insert(std::this_thread::get_id());
    });
  }
  ASSERT_TRUE(Commit({}).ok());
  const absl::MutexLock lock(&mutex);
  ASSERT_EQ(answers.size(), static_cast<size_t>(kCommits));
  for (int i = 0; i < kCommits; ++i) EXPECT_EQ(answers[i], i);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
  EXPECT_EQ(store().Events("jobs/a", 0, 10000)->size(), static_cast<size_t>(kCommits));
}

TEST_P(JobStoreContract, ACallbackMayCommitAndRead) {
  std::promise<bool> second;
  store().Commit({}, [&](const absl::Status&) {
    EXPECT_TRUE(store().Load().ok());
    store().Commit({}, [&](const absl::Status& status) { second.set_value(status.ok()); });
  });
  auto future = second.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(60)), std::future_status::ready);
  EXPECT_TRUE(future.get());
}

TEST_P(JobStoreContract, TakesCommitsAndReadsFromManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kJobs = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kJobs; ++i) {
        const std::string id = std::to_string(t) + "-" + std::to_string(i);
        Change change;
        change.jobs.push_back(StoredJob(id));
        EXPECT_TRUE(Commit(std::move(change)).ok());
        EXPECT_TRUE(store().Job("jobs/" + id).ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store().Load()->jobs.size(), static_cast<size_t>(kThreads * kJobs));
}

TEST_P(JobStoreContract, KeepsEverythingWhenItIsOpenedAgain) {
  Change change;
  change.jobs = {StoredJob("z"), StoredJob("a", v1::JOB_STATE_CANCELLED)};
  change.events = {StoredEvent("z", 1)};
  change.journal = {Window("z", 1, 0)};
  ASSERT_TRUE(Commit(change).ok());
  if (!Reopen()) GTEST_SKIP() << "this store keeps nothing when it is closed";
  const auto snapshot = store().Load();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  ASSERT_EQ(snapshot->jobs.size(), 1u);
  EXPECT_EQ(snapshot->jobs[0].SerializeAsString(), change.jobs[0].SerializeAsString());
  EXPECT_EQ(snapshot->last_event, 1);
  EXPECT_EQ(store().Journal("jobs/z", 1)->size(), 1u);
  v1::ListJobsRequest query;
  EXPECT_EQ(Names(query), (std::vector<std::string>{"jobs/a", "jobs/z"}));
}

}  // namespace ltml::jobs
