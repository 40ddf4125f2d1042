#include "coordinator/app/service_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>

#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/base/random.h"
#include "common/base/token_digest.h"
#include "common/run/folder.h"
#include "coordinator/jobs/memory_store.h"
#include "ltml/v1/run.pb.h"

namespace ltml::coordinator {
namespace {

using jobs::RunOutcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kDeadline{30};

class ServiceRunnerTest : public ::testing::Test {
 protected:
  // No program can be started.
  static v1::ServerConfig Config() {
    v1::ServerConfig config;
    config.mutable_paths()->set_programs("/nowhere");
    config.mutable_launch()->set_allow_root(true);
    return config;
  }
  v1::Job Starting() const {
    v1::Job job;
    job.set_name("jobs/a");
    job.set_state(v1::JOB_STATE_STARTING);
    job.set_run_folder(folder_.path().string());
    job.set_classes(3);
    job.mutable_spec()->mutable_schedule()->set_steps(10);
    job.mutable_spec()->mutable_resources()->set_ranks(2);
    v1::Limits& limits = *job.mutable_spec()->mutable_limits();
    for (auto* limit : {limits.mutable_start(), limits.mutable_lease(), limits.mutable_stop()}) {
      limit->set_seconds(10);
    }
    return job;
  }
  static v1::AttemptRecord Recorded() {
    v1::AttemptRecord record;
    record.set_job("jobs/a");
    record.mutable_attempt()->set_epoch(1);
    record.mutable_attempt()->set_first_step(4);
    record.set_launch_id(base::RandomToken());
    record.set_token_sha256(base::TokenDigest("token"));
    return record;
  }
  service::AttemptEvents Events() {
    service::AttemptEvents events;
    events.ended = [this](const RunOutcome& outcome) { ended_.set_value(outcome); };
    return events;
  }

  base::PrivateFolder folder_ = *base::PrivateFolder::Create("runner-test");
  jobs::MemoryStore store_;
  std::unique_ptr<WorkerGateway> gateway_ = WorkerGateway::Create();
  std::unique_ptr<ServiceRunner> runner_ = ServiceRunner::Create(
      {.config = Config(), .gateway = gateway_.get(), .store = &store_, .authority = ""});
  std::promise<RunOutcome> ended_;
};

// A server that was killed between the record of an attempt and its start.
TEST_F(ServiceRunnerTest, AnAttemptThatWasRecordedAndNotStartedIsNobodysFault) {
  const auto attempt = runner_->Adopt(Starting(), Recorded(), Events());
  auto future = ended_.get_future();
  ASSERT_EQ(future.wait_for(kDeadline), std::future_status::ready);
  const RunOutcome outcome = future.get();
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kNotStarted);
  EXPECT_EQ(outcome.step, 4);
  EXPECT_THAT(outcome.failure.message(), HasSubstr("before it had started the attempt"));
}

TEST_F(ServiceRunnerTest, RanksAreToldTheirGpus) {
  v1::AttemptRecord record = Recorded();
  for (const int device : {3, 1}) {
    v1::Placement& placement = *record.mutable_attempt()->add_placements();
    placement.set_host("localhost");
    placement.set_ranks(1);
    placement.add_devices(device);
  }
  const auto attempt = runner_->Start(Starting(), record, "token", Events());
  auto future = ended_.get_future();
  ASSERT_EQ(future.wait_for(kDeadline), std::future_status::ready);
  EXPECT_THAT(future.get().failure.message(), HasSubstr("no program '/nowhere/ltml-supervisor'"));
  v1::WorkerTask task;
  const auto file = run::AttemptFolder(folder_.path(), 1) / "task.json";
  ASSERT_TRUE(base::ReadJsonFile(file, &task).ok());
  EXPECT_THAT(task.devices(), ElementsAre(3, 1));
}

}  // namespace
}  // namespace ltml::coordinator
