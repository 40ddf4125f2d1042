#include "common/base/connect.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <string>

#include "common/base/files.h"

namespace ltml::base {
namespace {

constexpr std::chrono::seconds kLimit(10);

TEST(ConnectTo, ReachesAListenerOnTcp) {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(socket.number(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const Address target{.host = "127.0.0.1", .port = ntohs(address.sin_port)};
  const auto closed = ConnectTo(target, kLimit);
  EXPECT_TRUE(absl::IsUnavailable(closed.status()));
  EXPECT_EQ(closed.status().message(), "Connection refused");
  ASSERT_EQ(::listen(socket.number(), 1), 0);
  EXPECT_TRUE(ConnectTo(target, kLimit).ok());
}

TEST(ConnectTo, ReachesAListenerOnAUnixSocket) {
  const auto folder = *PrivateFolder::Create("connect-test");
  const Address target{.path = (folder.path() / "socket").string()};
  EXPECT_EQ(ConnectTo(target, kLimit).status().message(), "No such file or directory");
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, target.path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.number(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(socket.number(), 1), 0);
  EXPECT_TRUE(ConnectTo(target, kLimit).ok());
  EXPECT_TRUE(absl::IsUnavailable(ConnectTo({.path = std::string(200, 'x')}, kLimit).status()));
}

// 192.0.2.0/24 is for documentation: nobody answers there, or no route leads there.
TEST(ConnectTo, GivesUpWhoDoesNotAnswer) {
  const auto silent = ConnectTo({.host = "192.0.2.254", .port = 9}, std::chrono::milliseconds(200));
  EXPECT_TRUE(absl::IsUnavailable(silent.status())) << silent.status();
}

}  // namespace
}  // namespace ltml::base
