#include "coordinator/monitoring/views.h"

#include <gmock/gmock.h>

#include <thread>

#include "tests/unit/api/fake_manager.h"
#include "tests/unit/view/fixture.h"

namespace ltml::monitoring {
namespace {

class ViewsTest : public view::RunFolderTest {
 protected:
  v1::Job Job(int64_t epoch) const {
    v1::Job job;
    job.set_name("jobs/a");
    job.mutable_spec()->set_name("clipart");
    job.set_run_folder(run_.string());
    job.set_attempt_epoch(epoch);
    job.set_state(epoch > 0 ? v1::JOB_STATE_RUNNING : v1::JOB_STATE_QUEUED);
    return job;
  }
  v1::RunView See() {
    auto view = views_.Of("jobs/a");
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? *view : v1::RunView();
  }
  coordinator::FakeManager manager_;
  Views views_{manager_};
};

TEST_F(ViewsTest, AJobThatWaitsHasNoFolderYet) {
  manager_.Put(Job(0));
  const v1::RunView view = See();
  EXPECT_EQ(view.job().state(), v1::JOB_STATE_QUEUED);
  EXPECT_TRUE(view.classes().empty());
  EXPECT_TRUE(view.has_time());
  EXPECT_EQ(views_.Of("jobs/b").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ViewsTest, TheRecordOfTheJobStandsOverItsFolder) {
  Begin();
  AppendLine("metrics.jsonl", Step(10, 0.5));
  v1::AttemptSummary ended;
  ended.mutable_attempt()->set_epoch(1);
  ended.add_ranks()->set_host("of the folder");
  Write("attempts/1/attempt.json", ended);
  manager_.Put(Job(1));
  v1::RunView view = See();
  EXPECT_EQ(view.job().name(), "jobs/a");
  EXPECT_EQ(view.job().state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(view.steps_size(), 1);
  ASSERT_EQ(view.job().ranks_size(), 1);
  EXPECT_EQ(view.job().ranks(0).host(), "of the folder");
  service::LiveJob live;
  live.job = Job(1);
  live.ranks.resize(2);
  live.ranks[0].set_host("live");
  auto statistics = std::make_shared<v1::ClassStatistics>();
  for (const int64_t positives : {7, 8, 9}) statistics->add_rebalanced_positives(positives);
  live.statistics = statistics;
  manager_.PutLive(live);
  AppendLine("metrics.jsonl", Step(20, 0.25));
  view = See();
  EXPECT_EQ(view.steps_size(), 2);
  EXPECT_EQ(view.job().ranks_size(), 2);
  EXPECT_EQ(view.classes(2).rebalanced_positives(), 9);
}

TEST_F(ViewsTest, ADamagedFolderIsAFaultNotAnError) {
  Begin();
  Append("report.json", "{");
  manager_.Put(Job(1));
  const v1::RunView view = See();
  EXPECT_THAT(view.fault(), testing::HasSubstr("report.json"));
  EXPECT_EQ(view.job().name(), "jobs/a");
}

TEST_F(ViewsTest, ManyReadersSideBySide) {
  Begin();
  for (int step = 1; step <= 100; ++step) AppendLine("metrics.jsonl", Step(step, 1));
  for (int i = 0; i < 100; ++i) {
    v1::Job job = Job(1);
    job.set_name("jobs/" + std::to_string(i));
    manager_.Put(job);
  }
  std::vector<std::thread> readers;
  for (int t = 0; t < 4; ++t) {
    readers.emplace_back([this, t] {
      for (int i = 0; i < 200; ++i) {
        const auto view = views_.Of("jobs/" + std::to_string((i * (t + 1)) % 100));
        ASSERT_TRUE(view.ok()) << view.status();
        EXPECT_EQ(view->steps_size(), 100);
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace ltml::monitoring
