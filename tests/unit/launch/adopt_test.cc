// Attempts under the real mpirun that outlive the program that launched them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <thread>

#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/base/random.h"
#include "coordinator/launch/launcher.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/run_lock.h"
#include "tests/unit/launch/fixture.h"

namespace ltml::launch {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// Adoption may have to wait for a supervisor.
constexpr auto kPatience = 20s;

class AdoptTest : public LaunchedTest {
 protected:
  void TearDown() override {
    EXPECT_TRUE(Eventually([&] { return ProcessesOf({.id = id_}).empty(); }, kPatience));
    EXPECT_FALSE(std::filesystem::exists(ScratchFolder(id_)));
    (void)EndProcesses({.id = id_}, 5s);
  }

  LaunchOptions Options() const {
    return {.run_folder = folder_.path(),
            .attempt_folder = attempt_folder_,
            .attempt_epoch = 7,
            .launch_id = id_,
            .hosts = {{.address = "localhost", .ranks = 2}},
            .token = "the-token",
            .stop_grace = 2s,
            .outlives_owner = true};
  }
  AdoptOptions Adopted() const {
    return {.run_folder = folder_.path(),
            .attempt_folder = attempt_folder_,
            .attempt_epoch = 7,
            .launch_id = id_,
            .stop_grace = 2s};
  }
  v1::SupervisorRecord Supervisor() const {
    v1::SupervisorRecord record;
    (void)base::ReadJsonFile(attempt_folder_ / "supervisor.json", &record);
    return record;
  }
  // Launches in another process, which is killed once the ranks say "ready".
  void LaunchAndKillTheOwner() {
    const pid_t owner = StartOwner(id_);
    EXPECT_TRUE(RanksSay("ready", kPatience));
    ::kill(owner, SIGKILL);
    ::waitpid(owner, nullptr, 0);
  }

  const std::string id_ = base::RandomToken();
};

TEST_F(AdoptTest, GoesOnWithoutItsOwnerAndIsStoppedThroughAdoption) {
  Worker("trap 'echo asked; exit 0' USR1; echo ready; while true; do sleep 0.1; done");
  LaunchAndKillTheOwner();
  const auto attempt = Adopt(Adopted());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  EXPECT_TRUE(absl::IsDeadlineExceeded((*attempt)->Wait(300ms).status()));
  (*attempt)->Stop("the job was cancelled", false);
  const auto record = (*attempt)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->stop_reason(), "the job was cancelled");
  EXPECT_EQ(record->exit_status(), 0);
  EXPECT_EQ(record->swept_processes(), 0);
  EXPECT_THAT(Log("rank-0.log") + Log("rank-1.log"), HasSubstr("asked"));
}

TEST_F(AdoptTest, TwoAdoptionsSeeTheSameEnd) {
  Worker("echo ready; exec sleep 60");
  LaunchAndKillTheOwner();
  const auto first = Adopt(Adopted());
  const auto second = Adopt(Adopted());
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  (*first)->Stop("first", true);
  (*second)->Stop("second", true);
  const auto one = (*first)->Wait(20s);
  const auto other = (*second)->Wait(20s);
  ASSERT_TRUE(one.ok() && other.ok()) << one.status() << other.status();
  EXPECT_EQ(one->SerializeAsString(), other->SerializeAsString());
}

TEST_F(AdoptTest, LettingGoOfAnAttemptLeavesItRunning) {
  Worker("echo ready; exec sleep 60");
  LaunchAndKillTheOwner();
  ASSERT_TRUE(Adopt(Adopted()).ok());
  const auto again = Adopt(Adopted());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(absl::IsDeadlineExceeded((*again)->Wait(100ms).status()));
  (*again)->Stop("enough", true);
  EXPECT_TRUE((*again)->Wait(20s).ok());
}

TEST_F(AdoptTest, KilledSupervisorIsRecordedAndSwept) {
  Worker("setsid sleep 60 & echo ready; exec sleep 60");
  LaunchAndKillTheOwner();
  ASSERT_EQ(::kill(Supervisor().process_id(), SIGKILL), 0);
  const auto attempt = Adopt(Adopted());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  const auto record = (*attempt)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->exit_status(), -1);
  EXPECT_THAT(record->stop_reason(), HasSubstr("the supervisor was"));
  EXPECT_TRUE(ProcessesOf({.id = id_}).empty());
  EXPECT_TRUE(std::filesystem::exists(attempt_folder_ / "exit.json"));
}

TEST_F(AdoptTest, EndedAttemptGivesItsRecordAtOnce) {
  Worker("exit 0");
  auto launched = Launch(Options());
  ASSERT_TRUE(launched.ok()) << launched.status();
  const auto record = (*launched)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  const auto adopted = Adopt(Adopted());
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Wait(0s)->SerializeAsString(), record->SerializeAsString());
}

TEST_F(AdoptTest, NeverStartedIsNotFound) {
  std::filesystem::create_directories(attempt_folder_);
  EXPECT_TRUE(absl::IsNotFound(Adopt(Adopted()).status()));
}

TEST_F(AdoptTest, AfterARestartOfTheMachineItIsGone) {
  std::filesystem::create_directories(attempt_folder_);
  v1::SupervisorRecord record;
  record.set_launch_id(id_);
  record.set_process_id(::getpid());
  record.set_boot_id("another");
  ASSERT_TRUE(base::WriteJsonFile(attempt_folder_ / "supervisor.json", record).ok());
  const auto attempt = Adopt(Adopted());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  EXPECT_THAT((*attempt)->Wait(0s)->stop_reason(), HasSubstr("restarted"));
}

TEST_F(AdoptTest, StartingOneIsWaitedFor) {
  Worker("echo ready; exec sleep 60");
  std::optional<absl::StatusOr<std::unique_ptr<Attempt>>> adopted;
  std::thread adopter([&] { adopted = Adopt(Adopted()); });
  auto launched = Launch(Options());
  adopter.join();
  ASSERT_TRUE(launched.ok()) << launched.status();
  if (!adopted->ok()) adopted = Adopt(Adopted());  // it looked before there was a process
  ASSERT_TRUE(adopted->ok()) << adopted->status();
  (**adopted)->Stop("over", true);
  EXPECT_TRUE((*launched)->Wait(20s).ok());
}

// One that waits for the run folder's lock is there already, and can be stopped.
TEST_F(AdoptTest, OneThatWaitsForTheLockCanBeStopped) {
  Worker("echo ready; exec sleep 60");
  auto first = Launch(Options());
  ASSERT_TRUE(first.ok()) << first.status();
  LaunchOptions second = Options();
  second.attempt_folder = folder_.path() / "attempts" / "8";
  second.launch_id = base::RandomToken();
  second.lock_wait = 60s;
  absl::Status refused;
  std::thread launcher([&] { refused = Launch(second).status(); });
  AdoptOptions options = Adopted();
  options.attempt_folder = second.attempt_folder;
  options.launch_id = second.launch_id;
  ASSERT_TRUE(
      Eventually([&] { return std::filesystem::exists(second.attempt_folder / "supervisor.json"); },
                 kPatience));
  const auto adopted = Adopt(options);
  if (adopted.ok()) (*adopted)->Stop("not wanted", false);
  launcher.join();
  EXPECT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_FALSE(refused.ok());
  v1::ExitRecord record;
  ASSERT_TRUE(base::ReadJsonFile(second.attempt_folder / "exit.json", &record).ok());
  EXPECT_TRUE(record.not_started());
  EXPECT_TRUE(ProcessesOf({.id = second.launch_id}).empty());
  (*first)->Stop("over", true);
  EXPECT_TRUE((*first)->Wait(20s).ok());
}

TEST_F(AdoptTest, StopGoesFromSignalToSignal) {
  // Python: a shell acts on a signal only after its child has ended.
  Worker(
      "exec python3 -u -c '\n"
      "import signal, time\n"
      "signal.signal(signal.SIGUSR1, lambda *_: print(\"usr1\"))\n"
      "signal.signal(signal.SIGTERM, lambda *_: print(\"term\"))\n"
      "print(\"ready\")\n"
      "while True: time.sleep(0.1)\n'");
  LaunchOptions options = Options();
  // mpirun hands on SIGTERM a second after it got it.
  options.stop_grace = 2s;
  auto attempt = Launch(options);
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE(RanksSay("ready", kPatience));
  (*attempt)->Stop("in order", false);
  EXPECT_TRUE(RanksSay("usr1", kPatience));
  const auto record = (*attempt)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_THAT(Log("rank-0.log"), HasSubstr("ready\nusr1\nterm\n"));
}

TEST_F(AdoptTest, AtOnceHurriesAStopThatWaits) {
  Worker("trap 'echo asked' USR1; echo ready; while true; do sleep 0.1; done");
  LaunchOptions options = Options();
  options.stop_grace = 60s;
  auto attempt = Launch(options);
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE(RanksSay("ready", kPatience));
  (*attempt)->Stop("slowly", false);
  EXPECT_TRUE(RanksSay("asked", kPatience));
  (*attempt)->Stop("now", true);
  const auto record = (*attempt)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->stop_reason(), "slowly");
}

TEST_F(AdoptTest, RanksGetOnlyTheAllowedEnvironment) {
  Worker("echo \"[$LAUNCH_TEST_SECRET][$LAUNCH_TEST_WANTED]\"");
  ::setenv("LAUNCH_TEST_SECRET", "s", 1);
  ::setenv("LAUNCH_TEST_WANTED", "w", 1);
  LaunchOptions options = Options();
  options.environment = {"LAUNCH_TEST_WANTED"};
  auto attempt = Launch(options);
  ::unsetenv("LAUNCH_TEST_SECRET");
  ::unsetenv("LAUNCH_TEST_WANTED");
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  EXPECT_TRUE((*attempt)->Wait(20s).ok());
  EXPECT_EQ(Log("rank-0.log"), "[][w]\n");
}

}  // namespace
}  // namespace ltml::launch
