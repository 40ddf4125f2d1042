#include "common/config/toml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/files.h"
#include "ltml/v1/server_config.pb.h"

namespace ltml::config {
namespace {

using ::testing::ElementsAre;

// A file whose message has lists of every kind, read without the checks that follow.
class ListsTest : public ::testing::Test {
 protected:
  std::string Read(const std::string& text) {
    const std::filesystem::path file = folder_.path() / "lists.toml";
    EXPECT_TRUE(base::WriteFileAtomically(file, text).ok());
    faults_ = Faults("lists.toml");
    config_.Clear();
    const auto given = ReadToml(file, {}, &config_, &faults_);
    if (!given.ok()) return std::string(given.status().message());
    given_ = *given;
    return std::string(faults_.ToStatus().message());
  }

  const base::PrivateFolder folder_ = *base::PrivateFolder::Create("ltml-config");
  Faults faults_{""};
  v1::ServerConfig config_;
  std::vector<std::string> given_;
};

TEST_F(ListsTest, TablesAreReadInOrderWithTheirDefaults) {
  EXPECT_EQ(Read("[[hosts]]\nname = \"a\"\nslots = 2\n[[hosts]]\nslots = 4\nname = \"b\"\n"
                 "address = \"10.0.0.2\"\n"),
            "");
  ASSERT_EQ(config_.hosts_size(), 2);
  EXPECT_EQ(config_.hosts(0).name(), "a");
  EXPECT_EQ(config_.hosts(0).address(), "");
  EXPECT_EQ(config_.hosts(0).device(), v1::Resources::DEVICE_CPU);
  EXPECT_EQ(config_.hosts(1).slots(), 4);
  EXPECT_EQ(config_.hosts(1).address(), "10.0.0.2");
  EXPECT_THAT(given_, ElementsAre("hosts", "hosts[0].name", "hosts[0].slots", "hosts[1].address",
                                  "hosts[1].name", "hosts[1].slots"));
}

TEST_F(ListsTest, InlineTablesAreTheSame) {
  EXPECT_EQ(Read("users = [{name = \"a\", role = \"admin\"}]"), "");
  ASSERT_EQ(config_.users_size(), 1);
  EXPECT_EQ(config_.users(0).role(), v1::ServerUser::ROLE_ADMIN);
}

TEST_F(ListsTest, AbsentTablesAreFilledAndAbsentListsEmpty) {
  EXPECT_EQ(Read(""), "");
  EXPECT_EQ(config_.users_size(), 0);
  EXPECT_EQ(config_.launch().cooldown().seconds(), 60);
  EXPECT_THAT(config_.launch().agent(),
              ElementsAre("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"));
  EXPECT_EQ(config_.limits().requests_per_second(), 200.0);
}

TEST_F(ListsTest, PathsInListsStartAtTheFilesFolder) {
  EXPECT_EQ(Read("paths.data = [\"sets/../a\", \"/b\"]\nlaunch.environment = [\"x/../y\"]\n"), "");
  EXPECT_THAT(config_.paths().data(), ElementsAre((folder_.path() / "a").string(), "/b"));
  EXPECT_THAT(config_.launch().environment(), ElementsAre("x/../y"));
}

TEST_F(ListsTest, FaultsNameTheElementAndItsLine) {
  EXPECT_EQ(Read("[[hosts]]\nname = \"a\"\nslots = 1\n\n[[hosts]]\nname = \"b\"\nslots = 0\n"
                 "[[hosts]]\nslots = \"2\"\ndevice = \"cpus\"\n"),
            "lists.toml:7: hosts[1].slots: got 0, expected an integer from 1 to 65536\n"
            "lists.toml:8: hosts[2].name: missing, expected a string\n"
            "lists.toml:9: hosts[2].slots: got \"2\", expected an integer from 1 to 65536\n"
            "lists.toml:10: hosts[2].device: got \"cpus\", expected one of \"cpu\", \"cuda\"; did "
            "you mean "
            "'cpu'?");
}

TEST_F(ListsTest, FaultsOfStringsNameTheElement) {
  EXPECT_EQ(Read("launch.agent = [\"ssh\",\n  5]\npaths.data = [\n\"a\", [\"b\"]]\n"),
            "lists.toml:2: launch.agent[1]: got 5, expected a string\n"
            "lists.toml:4: paths.data[1]: got an array, expected a path");
}

TEST_F(ListsTest, UnknownKeysGetTheNearestOfTheirTable) {
  EXPECT_EQ(Read("[[users]]\nname = \"a\"\n[[users]]\nname = \"b\"\nrolle = \"admin\"\n"),
            "lists.toml:5: users[1].rolle: got an unknown key, expected name, role, token_sha256; "
            "did you mean 'role'?");
  EXPECT_EQ(Read("[[user]]\nname = \"a\"\n"),
            "lists.toml:1: user: got an unknown key, expected listen, advertise, insecure, tls, "
            "paths, launch, limits, users, hosts, monitoring, http, log; did you mean 'users'?");
}

TEST_F(ListsTest, KeysOfAnotherTableAreFound) {
  EXPECT_THAT(Read("slots = 3\n"), ::testing::EndsWith("; did you mean 'slots' in [[hosts]]?"));
  EXPECT_THAT(Read("[paths]\ncooldown = \"3s\"\n"),
              ::testing::EndsWith("; did you mean 'launch.cooldown'?"));
  EXPECT_THAT(Read("[launch]\ninsecure = true\n"),
              ::testing::EndsWith("; did you mean 'insecure' at the top?"));
}

TEST_F(ListsTest, WhatIsNoListOfTables) {
  EXPECT_EQ(Read("[hosts]\nname = \"a\"\n"),
            "lists.toml:1: hosts: got a table, expected tables under [[hosts]]");
  EXPECT_EQ(Read("hosts = [3, {name = \"b\", slots = 1}]\n"),
            "lists.toml:1: hosts[0]: got 3, expected a table");
  ASSERT_EQ(config_.hosts_size(), 2);
  EXPECT_EQ(config_.hosts(1).name(), "b");
}

TEST_F(ListsTest, FaultsTouchWhatLiesInAndAroundThem) {
  Read("[[hosts]]\nname = \"a\"\nslots = 0\n");
  EXPECT_TRUE(faults_.Touch("hosts[0].slots"));
  EXPECT_TRUE(faults_.Touch("hosts[0]"));
  EXPECT_TRUE(faults_.Touch("hosts"));
  EXPECT_TRUE(faults_.Touch("hosts[0].slots.deeper"));
  EXPECT_FALSE(faults_.Touch("hosts[0].name"));
  EXPECT_FALSE(faults_.Touch("hosts[0].slot"));
  EXPECT_FALSE(faults_.Touch("hosts[1]"));
}

}  // namespace
}  // namespace ltml::config
