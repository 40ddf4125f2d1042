#include "coordinator/app/service_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>

#include "common/base/files.h"
#include "common/base/random.h"
#include "common/base/token_digest.h"
#include "coordinator/jobs/memory_store.h"

namespace ltml::coordinator {
namespace {

using jobs::RunOutcome;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kDeadline{30};

class ServiceRunnerTest : public ::testing::Test {
 protected:
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
      {.config = {}, .gateway = gateway_.get(), .store = &store_, .authority = ""});
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

}  // namespace
}  // namespace ltml::coordinator
