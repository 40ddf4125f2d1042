#include "coordinator/launch/remote_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/base/files.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/remote_sweep.h"

namespace ltml::launch {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RemoteRunTest : public ::testing::Test {
 protected:
  // Called as AGENT -- ADDRESS COMMAND; $2 is the address and $3 the command.
  std::string Agent(const std::string& script) {
    const auto file = folder_.path() / "agent";
    EXPECT_TRUE(base::WriteFileAtomically(file, "#!/bin/sh\n" + script + "\n").ok());
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file.string();
  }

  base::PrivateFolder folder_ = *base::PrivateFolder::Create("remote-run-test");
};

TEST_F(RemoteRunTest, HostsAnswerEachForItself) {
  const std::string agent = Agent(
      "case $2 in far) echo \"at $2\"; exec sh -c \"$3\";; gone) echo refused >&2; exit 255;; "
      "*) sleep 100;; esac");
  const std::vector<HostAnswer> answers =
      RunOnHosts({{"far"}, {"localhost", false}, {"gone"}, {"silent"}, {"-oProxyCommand=x"}},
                 {.agent = {agent}, .command = "echo hello", .limit = 1s});
  ASSERT_EQ(answers.size(), 5u);
  EXPECT_TRUE(answers[0].status.ok());
  EXPECT_EQ(answers[0].output, "at far\nhello\n");
  EXPECT_TRUE(answers[1].status.ok());
  EXPECT_EQ(answers[1].output, "hello\n") << "this machine needs no agent";
  EXPECT_TRUE(absl::IsUnavailable(answers[2].status));
  EXPECT_EQ(answers[2].status.message(), "the launch agent ended with status 255");
  EXPECT_EQ(answers[2].said, "refused\n");
  EXPECT_TRUE(absl::IsDeadlineExceeded(answers[3].status));
  EXPECT_EQ(answers[3].status.message(), "no answer within 1 s");
  EXPECT_TRUE(absl::IsInvalidArgument(answers[4].status));
  EXPECT_EQ(answers[4].address, "-oProxyCommand=x");
}

TEST_F(RemoteRunTest, AgentsCarryNeitherMarkNorToken) {
  ::setenv(kAttemptVariable, "mark", 1);
  ::setenv("LTML_TOKEN", "secret", 1);
  const std::vector<HostAnswer> answers = RunOnHosts(
      {{"far"}},
      {.agent = {Agent("echo \"[$LTML_ATTEMPT][$LTML_TOKEN]\"")}, .command = "true", .limit = 20s});
  ::unsetenv(kAttemptVariable);
  ::unsetenv("LTML_TOKEN");
  EXPECT_EQ(answers[0].output, "[][]\n");
}

TEST_F(RemoteRunTest, AnAgentThatIsMissingIsNamed) {
  const std::vector<HostAnswer> answers =
      RunOnHosts({{"far"}}, {.agent = {"/nowhere/agent"}, .command = "true", .limit = 20s});
  EXPECT_TRUE(absl::IsInternal(answers[0].status));
  EXPECT_THAT(std::string(answers[0].status.message()), HasSubstr("/nowhere/agent"));
}

TEST_F(RemoteRunTest, SweepsNameTheHostsThatFailedAndKeepWhatAgentsSaid) {
  v1::LaunchPlan plan;
  plan.set_launch_id("0123456789abcdef0123456789abcdef");
  plan.set_supervisor("/bin/ltml-supervisor");
  plan.add_agent(Agent("echo \"$2: $3\"; [ $2 = good ] || { echo no way >&2; exit 3; }"));
  for (const char* address : {"good", "bad"}) {
    auto& host = *plan.add_hosts();
    host.set_address(address);
    host.set_ranks(1);
    host.set_remote(true);
  }
  const std::vector<std::string> failures = SweepHosts(plan, folder_.path(), {});
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0], "bad: the launch agent ended with status 3; sweep.log says more");
  const std::string log = *base::ReadFile(folder_.path() / "sweep.log");
  EXPECT_THAT(log, HasSubstr("good: exec /bin/sh -c"));
  EXPECT_THAT(log, HasSubstr("--sweep"));
  EXPECT_THAT(log, HasSubstr("no way"));
}

}  // namespace
}  // namespace ltml::launch
