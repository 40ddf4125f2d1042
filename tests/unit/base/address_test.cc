#include "common/base/address.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/host_name.h"

namespace ltml::base {
namespace {

TEST(HostName, FollowsThePattern) {
  for (const char* good : {"a", "node-1", "10.0.0.7", "node1.example.org", "7x"}) {
    EXPECT_TRUE(IsHostName(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("-oProxyCommand=x"), std::string("a b"), std::string("a;b"),
        std::string("a\nb"), std::string("."), std::string("ü"), std::string("a/b"),
        std::string(254, 'a'), std::string("a\0b", 3)}) {
    EXPECT_FALSE(IsHostName(bad)) << bad;
  }
}

TEST(ParseAddress, ReadsHostAndPort) {
  const auto name = ParseAddress("node-1.example.org:7610");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->host, "node-1.example.org");
  EXPECT_EQ(name->port, 7610);
  EXPECT_EQ(name->path, "");
  EXPECT_EQ(ParseAddress("10.0.0.1:0")->port, 0);
  EXPECT_EQ(ParseAddress("10.0.0.1:65535")->port, 65535);
  EXPECT_EQ(ParseAddress("[fe80::1]:7610")->host, "fe80::1");
  EXPECT_EQ(ParseAddress("[::1]:0")->host, "::1");
}

TEST(ParseAddress, ReadsPathsOfSockets) {
  const auto socket = ParseAddress("unix:/run/ltml:1/socket");
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->path, "/run/ltml:1/socket");
  EXPECT_EQ(socket->host, "");
  EXPECT_EQ(ParseAddress("unix:ltmld.sock")->path, "ltmld.sock");
}

TEST(ParseAddress, RefusesEverythingElse) {
  for (const std::string& bad :
       {std::string(), std::string("host"), std::string(":7610"), std::string("host:"),
        std::string("host:65536"), std::string("host:-1"), std::string("host:+1"),
        std::string("host: 1"), std::string("host:1x"), std::string("::1:7610"),
        std::string("[::1]"), std::string("[host]:1"), std::string("[::1:7610"),
        std::string("dns:///host:1"), std::string("-host:1"), std::string("unix:"),
        std::string("unix:a\0b", 8), std::string("http://host:1")}) {
    EXPECT_FALSE(ParseAddress(bad)) << bad;
  }
}

bool Local(const char* text) { return IsLocal(*ParseAddress(text)); }

TEST(IsLocal, IsASocketOrLoopback) {
  for (const char* local : {"unix:x", "localhost:1", "127.0.0.1:1", "127.255.3.4:1", "[::1]:1",
                            "[0:0:0:0:0:0:0:1]:1"}) {
    EXPECT_TRUE(Local(local)) << local;
  }
  for (const char* other : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "128.0.0.1:1", "[::2]:1",
                            "127.0.0.1.example.org:1", "localhost.example.org:1", "127.1:1"}) {
    EXPECT_FALSE(Local(other)) << other;
  }
}

TEST(IsAnyInterface, IsTheWildcardOfEitherFamily) {
  EXPECT_TRUE(IsAnyInterface(*ParseAddress("0.0.0.0:1")));
  EXPECT_TRUE(IsAnyInterface(*ParseAddress("[::]:1")));
  for (const char* other : {"127.0.0.1:1", "[::1]:1", "localhost:1", "unix:0.0.0.0"}) {
    EXPECT_FALSE(IsAnyInterface(*ParseAddress(other))) << other;
  }
}

}  // namespace
}  // namespace ltml::base
