#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/base/host_name.h"
#include "coordinator/launch/control_socket.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/identity.h"
#include "coordinator/launch/mpirun_command.h"
#include "coordinator/launch/remote_command.h"

namespace ltml::launch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

v1::LaunchPlan Plan() {
  v1::LaunchPlan plan;
  plan.set_launch_id("0123456789abcdef0123456789abcdef");
  plan.set_supervisor("/opt/our ltml/ltml-supervisor");
  for (const char* word : {"ssh", "-p", "22"}) plan.add_agent(word);
  for (const auto& [address, ranks, remote] :
       {std::tuple("10.0.0.7", 2, true), {"localhost", 1, false}, {"10.0.0.7", 1, true}}) {
    auto& host = *plan.add_hosts();
    host.set_address(address);
    host.set_ranks(ranks);
    host.set_remote(remote);
  }
  return plan;
}

TEST(HostsTest, AddressesCannotBeOptionsOrShell) {
  for (const char* good : {"localhost", "10.0.0.7", "gpu-1.example.org", "a"}) {
    EXPECT_TRUE(CheckAddress(good).ok()) << good;
  }
  for (const char* bad : {"", "-oProxyCommand=x", "a b", "a;b", "$(x)", "a:1", "a,b", "a-", ".a",
                          "user@host", "a\nb", "`x`", "h\xc3\xb6st", "*"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckAddress(bad))) << bad;
  }
  EXPECT_FALSE(CheckAddress(std::string(254, 'a')).ok());
}

TEST(HostsTest, ThisMachineIsKnownByNameAndAddress) {
  EXPECT_TRUE(IsThisMachine("localhost"));
  EXPECT_TRUE(IsThisMachine(base::HostName()));
  EXPECT_TRUE(IsThisMachine("127.0.0.1"));
  EXPECT_FALSE(IsThisMachine("192.0.2.77"));
}

TEST(HostsTest, HostFileHasALineARankInTheOrderOfRanks) {
  EXPECT_EQ(HostFile(Plan(), "here"), "10.0.0.7\n10.0.0.7\nhere\n10.0.0.7\n");
  EXPECT_THAT(RemoteAddresses(Plan()), ElementsAre("10.0.0.7"));
}

TEST(RemoteCommandTest, AgentGetsTheAddressAfterTheOptionsAndOneCommand) {
  const auto command = AgentCommand({"ssh", "-p", "22"}, "10.0.0.7", "echo 'a'");
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_THAT(*command, ElementsAre("ssh", "-p", "22", "--", "10.0.0.7",
                                    "exec /bin/sh -c 'echo '\\''a'\\'''"));
}

TEST(RemoteCommandTest, AgentGetsNoAddressThatIsAnOptionOrShell) {
  for (const char* address : {"-oProxyCommand=x", "10.0.0.7;x", ""}) {
    EXPECT_TRUE(absl::IsInvalidArgument(AgentCommand({"ssh"}, address, "x").status())) << address;
  }
}

TEST(RemoteCommandTest, ExaminationHasTheSearchPathsOfRanks) {
  const std::vector<std::string> environment = {"PATH=/a b:/c", "HOME=/root", "LD_LIBRARY_PATH=/l"};
  EXPECT_EQ(
      ExamineCommand("/opt/our ltml/ltml-supervisor", R"({"version":"1"})", environment),
      "exec env PATH='/a b:/c' LD_LIBRARY_PATH='/l' '/opt/our ltml/ltml-supervisor' --examine "
      R"('{"version":"1"}')");
}

TEST(RemoteCommandTest, DaemonGetsMarkAndPathAndNoSecret) {
  const std::vector<std::string> words = {" orted", "-mca", "ess", "\"env\""};
  const std::vector<std::string> environment = {"PATH=/a b:/c", "LTML_TOKEN=secret", "HOME=/root"};
  const std::string command = DaemonCommand(words, {.launch_id = "id",
                                                    .scratch = "/dev/shm/s",
                                                    .supervisor = "/b/s",
                                                    .environment = environment});
  EXPECT_EQ(command,
            "umask 077; mkdir -p '/dev/shm/s' && ln -sf '/b/s' '/dev/shm/s'/ltml-supervisor && "
            "cd '/dev/shm/s' || exit 1; "
            "export LTML_ATTEMPT='id' PATH='/a b:/c'; exec  orted -mca ess \"env\"");
}

TEST(RemoteCommandTest, SweepNamesTheAttemptAndWhomToSpare) {
  EXPECT_EQ(SweepCommand(Plan(), {"boot", 12, 345}),
            "exec '/opt/our ltml/ltml-supervisor' --sweep '0123456789abcdef0123456789abcdef' "
            "--spare 'boot:12:345'");
}

TEST(MpirunCommandTest, OtherHostsNeedTheAgentAndKeepAlive) {
  MpirunOptions options;
  options.remote = true;
  options.host_file = "/s/hosts";
  options.agent = "/s/ltml-supervisor --agent";
  options.interfaces = {"eth0", "10.0.0.0/8"};
  options.environment = {"LANG"};
  const std::string line = fmt::format("{}", fmt::join(MpirunArguments(options), " "));
  EXPECT_THAT(line, HasSubstr("--leave-session-attached --hostfile /s/hosts --mca rmaps seq"));
  EXPECT_THAT(line, HasSubstr("--mca plm_rsh_agent /s/ltml-supervisor --agent"));
  EXPECT_THAT(line, HasSubstr("--mca oob_tcp_keepalive_time 3"));
  EXPECT_THAT(line, HasSubstr("--mca btl_tcp_if_include eth0,10.0.0.0/8"));
  EXPECT_THAT(line, HasSubstr("--mca btl self,vader,tcp"));
  EXPECT_THAT(line, HasSubstr("-x LANG "));
  EXPECT_THAT(line, Not(HasSubstr("isolated")));
  options.interfaces.clear();
  EXPECT_THAT(fmt::format("{}", fmt::join(MpirunArguments(options), " ")),
              Not(HasSubstr("if_include")));
}

TEST(EnvironmentTest, OnlyWhatIsAllowedPasses) {
  const std::vector<std::string> inherited = {"PATH=/b",    "LC_ALL=C", "AWS_SECRET=x",
                                              "LTML_TMP=y", "MINE=1",   "PATHOLOGY=2"};
  const std::vector<std::string> names = {"MINE"};
  EXPECT_THAT(AllowedEnvironment(inherited, names),
              ElementsAre("PATH=/b", "LC_ALL=C", "LTML_TMP=y", "MINE=1"));
}

TEST(EnvironmentTest, OtherHostsKeepTheirOwnPlaces) {
  const std::vector<std::string> environment = {"PATH=/b", "HOME=/h", "LC_ALL=C", "LTML_TOKEN=x",
                                                "MINE=1"};
  EXPECT_THAT(NamesToHandOn(environment), ElementsAre("LC_ALL", "MINE"));
}

TEST(IdentityTest, NamesOneProcessForEver) {
  const ProcessIdentity self = IdentityOf(::getpid());
  EXPECT_GT(self.start_ticks, 0);
  EXPECT_EQ(self.boot_id.size(), 36u);
  EXPECT_TRUE(WatchProcess(self).open());
  EXPECT_TRUE(WatchProcess(ParseIdentity(ToText(self))).open());
  EXPECT_FALSE(WatchProcess({self.boot_id, self.process, self.start_ticks + 1}).open());
  EXPECT_FALSE(WatchProcess({"other", self.process, self.start_ticks}).open());
  EXPECT_FALSE(WatchProcess(ParseIdentity("nonsense")).open());
}

TEST(StopLineTest, GoesThereAndBack) {
  EXPECT_EQ(StopLine({"a\nb", true}), "stop-now a b\n");
  EXPECT_EQ(ParseStopLine("stop why not")->reason, "why not");
  EXPECT_FALSE(ParseStopLine("stop why not")->at_once);
  EXPECT_TRUE(ParseStopLine("stop-now x")->at_once);
  EXPECT_FALSE(ParseStopLine("start").has_value());
  EXPECT_EQ(StopLine({std::string(5000, 'x'), false}).size(), 1006u);
}

}  // namespace
}  // namespace ltml::launch
