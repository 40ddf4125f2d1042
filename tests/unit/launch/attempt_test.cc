// One attempt under the real mpirun with shell scripts for ranks: how it ends, and what is left.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <thread>

#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/base/random.h"
#include "coordinator/launch/launcher.h"
#include "coordinator/launch/mpirun_report.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/run_lock.h"
#include "tests/unit/launch/fixture.h"

namespace ltml::launch {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class AttemptTest : public LaunchedTest {
 protected:
  void TearDown() override {
    // Whatever a test did: nothing of the last attempt may live or lie about.
    const std::string id = AttemptId();
    if (id.empty()) return;
    EXPECT_TRUE(ProcessesOf({.id = id}).empty()) << id;
    EXPECT_FALSE(std::filesystem::exists(ScratchFolder(id)));
    (void)EndProcesses({.id = id}, 5s);
  }

  LaunchOptions Options(int ranks = 2) const {
    return {.run_folder = folder_.path(),
            .attempt_folder = attempt_folder_,
            .attempt_epoch = 7,
            .launch_id = base::RandomToken(),
            .hosts = {{.address = "localhost", .ranks = ranks}},
            .token = "the-token",
            .stop_grace = 1500ms};
  }
  std::string AttemptId() const {
    const std::string lock = base::ReadFile(folder_.path() / "lock").value_or("");
    return lock.size() < 33 ? "" : lock.substr(lock.size() - 33, 32);
  }
  std::optional<RankExit> NamedExit(int exit_status);
  pid_t Supervisor() const {
    int epoch = 0;
    int process = -1;
    const std::string lock = base::ReadFile(folder_.path() / "lock").value_or("");
    std::sscanf(lock.c_str(), "attempt %d, supervisor %d", &epoch, &process);
    return process;
  }
  pid_t Mpirun() const {
    int process = -1;
    const std::string log = Log("supervisor.log");
    const size_t at = log.find("mpirun_started pid=");
    if (at != std::string::npos) std::sscanf(log.c_str() + at, "mpirun_started pid=%d", &process);
    return process;
  }
};

TEST_F(AttemptTest, SuccessLeavesRecordAndLogs) {
  Worker("echo out $R $1 $LTML_TOKEN $OMP_NUM_THREADS; echo err $R >&2");
  auto attempt = Launch(Options());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  const auto record = (*attempt)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->attempt_epoch(), 7);
  EXPECT_EQ(record->exit_status(), 0);
  EXPECT_EQ(record->signal(), 0);
  EXPECT_EQ(record->stop_reason(), "");
  EXPECT_EQ(record->swept_processes(), 0);
  EXPECT_GE(record->ended_unix_milliseconds(), record->started_unix_milliseconds());
  EXPECT_THAT(Log("rank-1.log"),
              HasSubstr(fmt::format("out 1 {}/task.json the-token 1\n", attempt_folder_.string())));
  EXPECT_THAT(Log("rank-0.log"), HasSubstr("err 0\n"));
  v1::ExitRecord written;
  ASSERT_TRUE(base::ReadJsonFile(attempt_folder_ / "exit.json", &written).ok());
  EXPECT_EQ(written.SerializeAsString(), record->SerializeAsString());
  EXPECT_EQ((*attempt)->Wait(0s)->SerializeAsString(), record->SerializeAsString());
}

TEST_F(AttemptTest, AJobOnGpusNeedsTheirWorker) {
  const auto programs = folder_.path() / "programs";
  std::filesystem::create_directories(programs);
  for (const char* name : {"ltml-supervisor", "ltml-worker"}) {
    std::filesystem::create_symlink(LTML_BINARY_DIR "/bin/ltml-supervisor", programs / name);
  }
  ::setenv("LTML_BIN_DIR", programs.c_str(), 1);
  ::unsetenv("LTML_WORKER");
  LaunchOptions options = Options();
  options.on_gpu = true;
  const auto attempt = Launch(options);
  EXPECT_EQ(attempt.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(attempt.status().message()), HasSubstr("resources.device is \"cuda\""));
  EXPECT_THAT(std::string(attempt.status().message()), HasSubstr("make cuda"));
}

// What mpirun says of the rank that ended first.  On a busy machine it now and then leaves without
// its last words, so it has three tries; its exit status must be right in each.
std::optional<RankExit> AttemptTest::NamedExit(int exit_status) {
  for (int attempt_number = 0; attempt_number < 3; ++attempt_number) {
    const auto attempt = Launch(Options());
    EXPECT_TRUE(attempt.ok()) << attempt.status();
    if (!attempt.ok()) return std::nullopt;
    const auto record = (*attempt)->Wait(20s);
    EXPECT_TRUE(record.ok()) << record.status();
    if (!record.ok()) return std::nullopt;
    EXPECT_EQ(record->exit_status(), exit_status);
    if (const auto exit = FindRankExit(Log("mpirun.log"))) return exit;
  }
  return std::nullopt;
}

TEST_F(AttemptTest, ErrorOfARankIsNamed) {
  Worker("[ $R = 1 ] && exit 3; sleep 60");
  const std::optional<RankExit> exit = NamedExit(3);
  ASSERT_TRUE(exit.has_value()) << Log("mpirun.log");
  EXPECT_EQ(exit->rank, 1);
  EXPECT_EQ(exit->exit_status, 3);
}

TEST_F(AttemptTest, KilledRankIsNamed) {
  Worker("[ $R = 1 ] && kill -9 $$; sleep 60");
  const std::optional<RankExit> exit = NamedExit(137);
  ASSERT_TRUE(exit.has_value()) << Log("mpirun.log");
  EXPECT_EQ(exit->rank, 1);
  EXPECT_EQ(exit->signal, 9);
}

TEST_F(AttemptTest, StopEndsRanksThatSleepAndSaysWhy) {
  Worker("echo ready; exec sleep 60");
  auto attempt = Launch(Options());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE(RanksSay("ready"));
  EXPECT_EQ((*attempt)->Wait(50ms).status().code(), absl::StatusCode::kDeadlineExceeded);
  (*attempt)->Stop("the test\nis over", true);
  const auto record = (*attempt)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->stop_reason(), "the test is over");
}

TEST_F(AttemptTest, StopEndsRanksThatIgnoreSignals) {
  Worker(
      "trap '' TERM INT HUP CONT; setsid sh -c 'trap \"\" TERM; sleep 60; true' & "
      "echo ready; while true; do sleep 1; done");
  auto attempt = Launch(Options());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE(RanksSay("ready"));
  (*attempt)->Stop("enough", true);
  const auto record = (*attempt)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_GE(record->swept_processes(), 2);
}

TEST_F(AttemptTest, StopEndsAFrozenRank) {
  Worker("echo ready; kill -STOP $$; exec sleep 60");
  auto attempt = Launch(Options());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE(RanksSay("ready"));
  (*attempt)->Stop("frozen", true);
  ASSERT_TRUE((*attempt)->Wait(20s).ok());
}

TEST_F(AttemptTest, DestroyingItEndsIt) {
  Worker("echo ready; exec sleep 60");
  auto attempt = Launch(Options());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE(RanksSay("ready"));
  attempt->reset();
  EXPECT_TRUE(std::filesystem::exists(attempt_folder_ / "exit.json"));
}

TEST_F(AttemptTest, ChattyRanksGetCappedLogs) {
  Worker("seq 1 200000");
  auto attempt = Launch(Options());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE((*attempt)->Wait(30s).ok());
  for (const char* name : {"rank-0.log", "rank-1.log"}) {
    const std::string log = Log(name);
    EXPECT_TRUE(log.starts_with("1\n2\n3\n")) << log.substr(0, 100);
    EXPECT_THAT(log, HasSubstr("bytes left out"));
    EXPECT_TRUE(log.ends_with("199999\n200000\n")) << log.substr(log.size() - 200);
    EXPECT_LT(log.size(), (128u << 10) + 100);
  }
}

TEST_F(AttemptTest, KilledMpirunTakesItsRanksAlong) {
  Worker("trap '' TERM; echo ready; while true; do sleep 1; done");
  auto attempt = Launch(Options());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE(RanksSay("ready"));
  ASSERT_EQ(::kill(Mpirun(), SIGKILL), 0);
  const auto record = (*attempt)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->signal(), SIGKILL);
  EXPECT_EQ(record->stop_reason(), "");
}

TEST_F(AttemptTest, KilledSupervisorIsReportedAndSweptByTheOwner) {
  Worker("trap '' TERM; setsid sleep 60 & echo ready; while true; do sleep 1; done");
  auto attempt = Launch(Options());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE(RanksSay("ready"));
  ASSERT_EQ(::kill(Supervisor(), SIGKILL), 0);
  const auto record = (*attempt)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->exit_status(), -1);
  EXPECT_EQ(record->signal(), SIGKILL);
  EXPECT_THAT(record->stop_reason(), HasSubstr("supervisor was killed by signal 9"));
  EXPECT_TRUE(std::filesystem::exists(attempt_folder_ / "exit.json"));
}

TEST_F(AttemptTest, ARecordThatCannotBeWrittenStandsAllTheSame) {
  Worker("echo ready; exec sleep 60");
  auto attempt = Launch(Options());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE(RanksSay("ready"));
  std::filesystem::create_directories(attempt_folder_ / "exit.json" / "in the way");
  ASSERT_EQ(::kill(Supervisor(), SIGKILL), 0);
  const auto record = (*attempt)->Wait(20s);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->signal(), SIGKILL);
  EXPECT_EQ((*attempt)->Wait(0s)->SerializeAsString(), record->SerializeAsString());
}

TEST_F(AttemptTest, FrozenSupervisorIsEndedWithTheAttempt) {
  Worker("echo ready; exec sleep 60");
  LaunchOptions options = Options();
  options.stop_grace = 100ms;
  auto attempt = Launch(options);
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  ASSERT_TRUE(RanksSay("ready"));
  ASSERT_EQ(::kill(Supervisor(), SIGSTOP), 0);
  attempt->reset();
}

TEST_F(AttemptTest, EverythingEndsWithAKilledOwner) {
  Worker("trap '' TERM; echo ready; while true; do sleep 1; done");
  const pid_t owner = StartOwner();
  ASSERT_TRUE(RanksSay("ready"));
  ASSERT_EQ(::kill(owner, SIGKILL), 0);
  ::waitpid(owner, nullptr, 0);
  v1::ExitRecord record;
  ASSERT_TRUE(Eventually([&] {
    return base::ReadJsonFile(attempt_folder_ / "exit.json", &record).ok() &&
           ProcessesOf({.id = AttemptId()}).empty();
  }));
  EXPECT_THAT(record.stop_reason(), HasSubstr("is gone"));
}

TEST_F(AttemptTest, NextAttemptEndsWhatTwoKillsLeft) {
  Worker("setsid sleep 60 & echo ready; exec sleep 60");
  const pid_t owner = StartOwner();
  ASSERT_TRUE(RanksSay("ready"));
  const std::string id = AttemptId();
  ASSERT_EQ(::kill(owner, SIGSTOP), 0);
  ASSERT_EQ(::kill(Supervisor(), SIGKILL), 0);
  ASSERT_EQ(::kill(owner, SIGKILL), 0);
  ::waitpid(owner, nullptr, 0);
  // mpirun and the ranks end with the supervisor; what left their session does not.
  ASSERT_TRUE(Eventually([&] { return ProcessesOf({.id = id}).size() == 2; }));
  Worker("true");
  attempt_folder_ = folder_.path() / "attempts" / "8";
  auto attempt = Launch(Options());
  ASSERT_TRUE(attempt.ok()) << attempt.status();
  EXPECT_TRUE((*attempt)->Wait(20s).ok());
  EXPECT_TRUE(ProcessesOf({.id = id}).empty());
  EXPECT_FALSE(std::filesystem::exists(ScratchFolder(id)));
}

TEST_F(AttemptTest, SecondAttemptOnTheFolderIsRefusedAfterItsWait) {
  Worker("echo ready; exec sleep 60");
  auto first = Launch(Options());
  ASSERT_TRUE(first.ok()) << first.status();
  LaunchOptions options = Options();
  options.attempt_folder = folder_.path() / "attempts" / "8";
  options.lock_wait = 300ms;
  const auto begin = std::chrono::steady_clock::now();
  const auto second = Launch(options);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition) << second.status();
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use by another attempt"));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 300ms);
}

TEST_F(AttemptTest, AbandonedSecondAttemptGivesUpItsWaitAtOnce) {
  Worker("echo ready; exec sleep 60");
  auto first = Launch(Options());
  ASSERT_TRUE(first.ok()) << first.status();
  LaunchOptions options = Options();
  options.attempt_folder = folder_.path() / "attempts" / "8";
  options.lock_wait = 60s;
  const auto begin = std::chrono::steady_clock::now();
  options.abandoned = [begin] { return std::chrono::steady_clock::now() - begin > 300ms; };
  EXPECT_EQ(Launch(options).status().code(), absl::StatusCode::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  EXPECT_FALSE((*first)->Wait(0s).ok()) << "the first one goes on";
}

TEST_F(AttemptTest, SecondAttemptStartsWhenTheFirstGoesInTime) {
  Worker("sleep 1");
  auto first = Launch(Options());
  ASSERT_TRUE(first.ok()) << first.status();
  LaunchOptions options = Options();
  options.attempt_folder = folder_.path() / "attempts" / "8";
  options.lock_wait = 20s;
  auto second = Launch(options);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE((*second)->Wait(20s).ok());
}

TEST_F(AttemptTest, ProgramsThatAreMissingAreNamed) {
  ::setenv("LTML_WORKER", "/nowhere/worker", 1);
  EXPECT_THAT(std::string(Launch(Options()).status().message()), HasSubstr("/nowhere/worker"));
  ::setenv("LTML_BIN_DIR", "/nowhere", 1);
  EXPECT_THAT(std::string(Launch(Options()).status().message()), HasSubstr("ltml-supervisor"));
}

TEST_F(AttemptTest, MissingMpirunIsSaid) {
  Worker("true");
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  const auto attempt = Launch(Options());
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(std::string(attempt.status().message()), HasSubstr("openmpi-bin"));
}

}  // namespace
}  // namespace ltml::launch
