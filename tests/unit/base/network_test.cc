#include "common/base/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ltml::base {
namespace {

constexpr uint32_t Ip(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

TEST(ParseNetwork, ReadsAddressAndBits) {
  const auto network = ParseNetwork("10.1.0.0/16");
  ASSERT_TRUE(network);
  EXPECT_EQ(network->address, Ip(10, 1, 0, 0));
  EXPECT_EQ(network->bits, 16);
  EXPECT_EQ(ParseNetwork("0.0.0.0/0")->bits, 0);
  EXPECT_EQ(ParseNetwork("192.168.1.7/32")->bits, 32);
}

TEST(ParseNetwork, RefusesEverythingElse) {
  for (const std::string& bad :
       {std::string(), std::string("10.0.0.0"), std::string("10.0.0.0/"),
        std::string("10.0.0.0/33"), std::string("10.0.0.0/-1"), std::string("10.0.0.0/+8"),
        std::string("10.0.0.0/8x"), std::string("10.0.0/8"), std::string("10.0.0.256/8"),
        std::string("/8"), std::string("a.b.c.d/8"), std::string("...../8"),
        std::string("fe80::/64"), std::string("10.0.0.0/8/8"),
        std::string("10.0.0.0/99999999999")}) {
    EXPECT_FALSE(ParseNetwork(bad)) << bad;
  }
}

TEST(Network, HoldsTheAddressesWithItsFirstBits) {
  const Network network = *ParseNetwork("10.1.128.5/17");
  EXPECT_TRUE(network.Contains(Ip(10, 1, 128, 0)));
  EXPECT_TRUE(network.Contains(Ip(10, 1, 255, 255)));
  EXPECT_FALSE(network.Contains(Ip(10, 1, 127, 255)));
  EXPECT_TRUE(ParseNetwork("1.2.3.4/0")->Contains(Ip(200, 1, 1, 1)));
  EXPECT_TRUE(ParseNetwork("1.2.3.4/32")->Contains(Ip(1, 2, 3, 4)));
  EXPECT_FALSE(ParseNetwork("1.2.3.4/32")->Contains(Ip(1, 2, 3, 5)));
}

TEST(IsInterfaceName, IsWhatTheKernelTakes) {
  for (const char* good : {"lo", "eth0", "enp3s0f1", "bond0.100", "br-lan", "eth0:1", "wlan_0"}) {
    EXPECT_TRUE(IsInterfaceName(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("-eth0"), std::string("."), std::string(".."),
        std::string("eth0@if5"), std::string("eth0,eth1"), std::string("eth 0"),
        std::string("eth/0"), std::string("a23456789012345x"), std::string("eth0\n"),
        std::string("^eth0")}) {
    EXPECT_FALSE(IsInterfaceName(bad)) << bad;
  }
}

TEST(Interfaces, HoldTheLoopback) {
  EXPECT_THAT(Interfaces(), ::testing::Contains(::testing::AllOf(
                                ::testing::Field(&Interface::name, "lo"),
                                ::testing::Field(&Interface::address, Ip(127, 0, 0, 1)),
                                ::testing::Field(&Interface::loopback, true))));
}

}  // namespace
}  // namespace ltml::base
