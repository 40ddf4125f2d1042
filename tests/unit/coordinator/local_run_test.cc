// RunLocally with the real supervisor and mpirun, and ranks that follow a script.
#include "coordinator/app/local_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "common/base/descriptor.h"
#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "coordinator/launch/processes.h"

namespace ltml::coordinator {
namespace {

using jobs::RunOutcome;

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class LocalRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("LTML_BIN_DIR", LTML_BINARY_DIR "/bin", 1);
    ::setenv("LTML_WORKER", LTML_BINARY_DIR "/tests/fake_worker", 1);
    options_.folder = folder_.path();
    options_.ranks = 2;
    options_.classes = 3;
    options_.interrupt = &interrupt_;
    options_.task.set_kind(v1::WorkerTask::KIND_EVALUATE);
    options_.task.set_run_folder(folder_.path());
    v1::JobSpec& job = *options_.task.mutable_job();
    job.mutable_schedule()->set_steps(10);
    job.mutable_loss()->set_statistics_window(20);
    v1::Limits& limits = *job.mutable_limits();
    for (auto* limit :
         {limits.mutable_start(), limits.mutable_lease(), limits.mutable_step(),
          limits.mutable_evaluation(), limits.mutable_checkpoint(), limits.mutable_grant()}) {
      limit->set_seconds(20);
    }
    limits.mutable_stop()->set_seconds(1);
    options_.events.rank_connected = [this](int rank, const std::string& host, int ranks) {
      EXPECT_EQ(ranks, 2);
      hosts_.push_back(host + "/" + std::to_string(rank));
    };
    options_.events.step = [this](const v1::StepMetrics& metrics) {
      steps_.push_back(metrics.step());
      if (on_step_) on_step_();
    };
    options_.events.evaluation = [this](const v1::Report& report) {
      images_.push_back(report.images());
    };
  }
  void TearDown() override {
    const std::string lock = base::ReadFile(folder_.path() / "lock").value_or("");
    if (lock.size() < 33) return;
    const launch::AttemptMark mark{.id = lock.substr(lock.size() - 33, 32)};
    EXPECT_THAT(launch::ProcessesOf(mark), IsEmpty());
  }

  RunOutcome Run(const std::string& script) {
    ::setenv("FAKE_SCRIPT", script.c_str(), 1);
    auto outcome = RunLocally(options_);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? *outcome : RunOutcome{};
  }
  // A process of the attempt, from the supervisor's lock file or log.
  void Kill(const std::string& file, const std::string& before) const {
    const std::string text = base::ReadFile(folder_.path() / file).value_or("");
    const size_t at = text.find(before);
    ASSERT_NE(at, std::string::npos) << text;
    ASSERT_EQ(::kill(std::atoi(text.c_str() + at + before.size()), SIGKILL), 0);
  }

  base::PrivateFolder folder_ = *base::PrivateFolder::Create("local-run-test");
  std::atomic<int> interrupt_ = 0;
  std::vector<std::string> hosts_;
  std::vector<int64_t> steps_;
  std::vector<int64_t> images_;
  std::function<void()> on_step_;
  LocalRunOptions options_;
};

TEST_F(LocalRunTest, SuccessTellsEventsInOrder) {
  const RunOutcome outcome =
      Run("hello progress 1 progress 1 progress 2 rank 0 evaluated rank -1 finish 2");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kSucceeded) << outcome.failure.ShortDebugString();
  EXPECT_EQ(outcome.step, 2);
  EXPECT_THAT(hosts_, UnorderedElementsAre("host0/0", "host1/1"));
  EXPECT_THAT(steps_, ElementsAre(1, 2));
  EXPECT_THAT(images_, ElementsAre(835));
  v1::WorkerTask task;
  ASSERT_TRUE(base::ReadJsonFile(folder_.path() / "attempts/1/task.json", &task).ok());
  EXPECT_EQ(task.attempt_epoch(), 1);
  EXPECT_EQ(task.classes(), 3);
  EXPECT_TRUE(task.coordinator().starts_with("unix:/"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "attempts/1/exit.json"));
}

TEST_F(LocalRunTest, EveryRunIsANewAttempt) {
  Run("hello finish 2");
  Run("hello finish 2");
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "attempts/2/exit.json"));
}

TEST_F(LocalRunTest, CauseBeatsTheEffectThatCameFirst) {
  const RunOutcome outcome =
      Run("hello rank 0 fail 10 hang rank 1 sleep 300 fail 1 hang");  // COLLECTIVE, DATA
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kFailed);
  EXPECT_EQ(outcome.failure.cause(), v1::FAILURE_CAUSE_DATA);
  EXPECT_EQ(outcome.failure.rank(), 1);
  EXPECT_EQ(outcome.failure.host(), "host1");
}

TEST_F(LocalRunTest, KilledRankIsNamed) {
  const RunOutcome outcome = Run("hello progress 3 sleep 300 rank 1 die rank 0 hang");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kFailed);
  EXPECT_EQ(outcome.failure.cause(), v1::FAILURE_CAUSE_RANK_LOST);
  EXPECT_EQ(outcome.failure.rank(), 1) << outcome.failure.ShortDebugString();
  EXPECT_EQ(outcome.failure.host(), "host1");
  EXPECT_EQ(outcome.failure.step(), 3);
}

TEST_F(LocalRunTest, FrozenRankIsFoundByItsLease) {
  options_.task.mutable_job()->mutable_limits()->mutable_lease()->set_seconds(1);
  const RunOutcome outcome = Run(
      "hello progress 3 rank 1 freeze rank 0 sleep 500 progress 4 sleep 500 progress 5 sleep 500 "
      "progress 6 sleep 500 progress 7 hang");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kFailed);
  EXPECT_EQ(outcome.failure.cause(), v1::FAILURE_CAUSE_RANK_SILENT);
  EXPECT_EQ(outcome.failure.rank(), 1) << outcome.failure.ShortDebugString();
}

// The lease passes while this program is stopped; the ranks go on.
TEST_F(LocalRunTest, RanksAreNotBlamedForAStopOfThisProgram) {
  options_.task.mutable_job()->mutable_limits()->mutable_lease()->set_seconds(1);
  on_step_ = [this] {
    if (steps_.size() > 1) return;
    ASSERT_EQ(std::system("(kill -STOP $PPID; sleep 2; kill -CONT $PPID) &"), 0);
  };
  std::string script = "hello";
  for (int step = 1; step <= 20; ++step) script += fmt::format(" progress {} sleep 200", step);
  const RunOutcome outcome = Run(script + " finish 20");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kSucceeded) << outcome.failure.ShortDebugString();
}

TEST_F(LocalRunTest, RanksThatNeverComeUpAreALaunchFailure) {
  const RunOutcome outcome = Run("exit 3");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kFailed);
  EXPECT_EQ(outcome.failure.cause(), v1::FAILURE_CAUSE_LAUNCH);
  EXPECT_THAT(outcome.failure.message(), HasSubstr("status 3"));
}

TEST_F(LocalRunTest, KilledMpirunFailsTheRun) {
  on_step_ = [this] { Kill("attempts/1/supervisor.log", "mpirun_started pid="); };
  const RunOutcome outcome = Run("hello rank 0 progress 1 rank -1 hang");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kFailed);
  EXPECT_EQ(outcome.failure.cause(), v1::FAILURE_CAUSE_LAUNCH);
  EXPECT_THAT(outcome.failure.message(), HasSubstr("mpirun was killed by signal 9"));
}

TEST_F(LocalRunTest, KilledSupervisorFailsTheRun) {
  on_step_ = [this] { Kill("lock", "supervisor "); };
  const RunOutcome outcome = Run("hello rank 0 progress 1 rank -1 hang");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kFailed);
  EXPECT_THAT(outcome.failure.message(), HasSubstr("supervisor was killed by signal 9"));
}

TEST_F(LocalRunTest, InterruptStopsTrainingByCommand) {
  options_.task.set_kind(v1::WorkerTask::KIND_TRAIN);
  options_.task.mutable_job()->mutable_limits()->mutable_stop()->set_seconds(20);
  on_step_ = [this] { interrupt_ = 1; };
  const RunOutcome outcome =
      Run("hello progress 4 rank 0 await rank 1 sleep 500 rank -1 stopped 5");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kStopped) << outcome.failure.ShortDebugString();
  EXPECT_EQ(outcome.step, 5);
}

TEST_F(LocalRunTest, RanksThatDoNotStopAreEnded) {
  options_.task.set_kind(v1::WorkerTask::KIND_TRAIN);
  on_step_ = [this] { interrupt_ = 1; };
  const RunOutcome outcome = Run("hello progress 4 hang");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kFailed);
  EXPECT_EQ(outcome.failure.cause(), v1::FAILURE_CAUSE_NO_PROGRESS);
  EXPECT_EQ(outcome.failure.step(), 4);
  EXPECT_THAT(outcome.failure.message(), HasSubstr("limits.stop"));
}

TEST_F(LocalRunTest, SecondInterruptEndsAtOnce) {
  options_.task.set_kind(v1::WorkerTask::KIND_TRAIN);
  on_step_ = [this] { ++interrupt_; };
  const RunOutcome outcome = Run("hello progress 4 sleep 300 progress 5 hang");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kStopped);
  EXPECT_EQ(outcome.step, 5);
}

TEST_F(LocalRunTest, InterruptOfAnEvaluationEndsAtOnce) {
  on_step_ = [this] { interrupt_ = 1; };
  EXPECT_EQ(Run("hello progress 4 hang").kind, RunOutcome::Kind::kStopped);
}

TEST_F(LocalRunTest, RankThatDoesNotLeaveAfterItsWorkIsEnded) {
  const RunOutcome outcome = Run("hello finish 2 rank 1 hang");
  EXPECT_EQ(outcome.kind, RunOutcome::Kind::kSucceeded) << outcome.failure.ShortDebugString();
}

TEST_F(LocalRunTest, FolderInUseIsRefusedAndLeftAsItWas) {
  const base::Descriptor lock(
      ::open((folder_.path() / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(lock.number(), LOCK_EX), 0);
  EXPECT_EQ(RunLocally(options_).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "attempts"));
}

TEST_F(LocalRunTest, InterruptEndsTheWaitForAFolderInUse) {
  const base::Descriptor lock(
      ::open((folder_.path() / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(lock.number(), LOCK_EX), 0);
  options_.task.mutable_job()->mutable_limits()->mutable_stop()->set_seconds(60);
  interrupt_ = 1;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(RunLocally(options_).status().code(), absl::StatusCode::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "attempts"));
}

TEST_F(LocalRunTest, LimitsMustBeSet) {
  options_.task.mutable_job()->clear_limits();
  EXPECT_EQ(RunLocally(options_).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ltml::coordinator
