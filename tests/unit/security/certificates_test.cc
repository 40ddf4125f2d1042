// Certificates in real TLS handshakes.
#include "coordinator/security/certificates.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "common/rpc/credentials.h"

namespace ltml::security {
namespace {

using std::chrono::hours;
using ::testing::HasSubstr;

class CertificatesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    authority_ = *MakeAuthority("test");
    server_ = Of(authority_, {.common_name = "server", .addresses = {"127.0.0.1"}, .server = true});
  }

  static Certificate Of(const Certificate& authority, const CertificateRequest& request) {
    const auto issued = Issue(authority, request);
    EXPECT_TRUE(issued.ok()) << issued.status();
    return issued.ok() ? *issued : Certificate();
  }

  void Start(const Certificate& certificate) {
    const auto credentials = rpc::ServerCredentials({.certificate = certificate.certificate,
                                                     .key = certificate.key,
                                                     .authority = authority_.certificate});
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    grpc_server_.reset();
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", *credentials, &port_);
    service_ = std::make_unique<grpc::CallbackGenericService>();
    builder.RegisterCallbackGenericService(service_.get());
    grpc_server_ = builder.BuildAndStart();
    ASSERT_NE(grpc_server_, nullptr);
  }

  bool Connects(const rpc::TlsFiles& files) {
    const std::string address = "127.0.0.1:" + std::to_string(port_);
    const auto credentials = rpc::ClientCredentials(address, files);
    EXPECT_TRUE(credentials.ok()) << credentials.status();
    if (!credentials.ok()) return false;
    const auto channel = grpc::CreateChannel(address, *credentials);
    // TLS 1.3 tells a client that it was refused only after its handshake: the channel then fails.
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(2))) {
      return false;
    }
    const auto change = std::chrono::system_clock::now() + std::chrono::milliseconds(300);
    return !channel->WaitForStateChange(GRPC_CHANNEL_READY, change);
  }

  Certificate authority_, server_;
  int port_ = 0;
  std::unique_ptr<grpc::CallbackGenericService> service_;
  std::unique_ptr<grpc::Server> grpc_server_;
};

TEST_F(CertificatesTest, AUserOfTheAuthorityIsLetIn) {
  Start(server_);
  const Certificate user = Of(authority_, {.common_name = "ada", .addresses = {}});
  EXPECT_TRUE(Connects({user.certificate, user.key, authority_.certificate}));
  EXPECT_TRUE(Connects({"", "", authority_.certificate}));
}

TEST_F(CertificatesTest, AForeignUserIsNot) {
  Start(server_);
  const Certificate other = *MakeAuthority("test");
  const Certificate user = Of(other, {.common_name = "ada", .addresses = {}});
  EXPECT_FALSE(Connects({user.certificate, user.key, authority_.certificate}));
}

TEST_F(CertificatesTest, AForeignServerOrOneOfAnotherAddressIsNotTrusted) {
  Start(Of(authority_, {.common_name = "s", .addresses = {"10.9.9.9", "node1"}, .server = true}));
  EXPECT_FALSE(Connects({"", "", authority_.certificate}));
  Start(server_);
  EXPECT_FALSE(Connects({"", "", MakeAuthority("test")->certificate}));
}

TEST_F(CertificatesTest, AnExpiredOneIsNamedBeforeItIsUsed) {
  const Certificate old =
      Of(authority_, {.common_name = "ada", .addresses = {}, .lifetime = hours(-1)});
  const auto credentials =
      rpc::ClientCredentials("127.0.0.1:1", {old.certificate, old.key, authority_.certificate});
  EXPECT_TRUE(absl::IsFailedPrecondition(credentials.status())) << credentials.status();
  EXPECT_THAT(std::string(credentials.status().message()), HasSubstr("ended at"));
  EXPECT_LT(*ExpiryOf(old.certificate), std::chrono::system_clock::now());
}

TEST_F(CertificatesTest, WhatDoesNotFitTogetherIsNamed) {
  const Certificate user = Of(authority_, {.common_name = "ada", .addresses = {}});
  const auto mixed =
      rpc::ServerCredentials({user.certificate, server_.key, authority_.certificate});
  EXPECT_THAT(std::string(mixed.status().message()), HasSubstr("does not belong"));
  const auto none = rpc::ClientCredentials("127.0.0.1:1", {"text", "text", authority_.certificate});
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("no certificate in PEM form"));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Issue(authority_, {.common_name = "s", .addresses = {"a b"}}).status()));
}

TEST(ClientCredentials, PlaintextStaysOnThisMachine) {
  EXPECT_TRUE(rpc::ClientCredentials("127.0.0.1:7610", {}).ok());
  EXPECT_TRUE(rpc::ClientCredentials("unix:/tmp/s", {}).ok());
  for (const char* address : {"10.0.0.1:7610", "head:7610", "127.0.0.1.example.org:7610"}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(rpc::ClientCredentials(address, {}).status()))
        << address;
  }
}

}  // namespace
}  // namespace ltml::security
