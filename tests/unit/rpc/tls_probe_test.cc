#include "common/rpc/tls_probe.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpc/grpc.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "coordinator/security/certificates.h"

namespace ltml::rpc {
namespace {

using namespace std::chrono_literals;
using security::Certificate;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kLimit(10);

Certificate Authority(const char* name) { return *security::MakeAuthority(name); }

Certificate ServerOf(const Certificate& authority, const std::string& address = "127.0.0.1",
                     std::chrono::hours lifetime = 24h) {
  return *security::Issue(
      authority,
      {.common_name = "ltmld", .addresses = {address}, .server = true, .lifetime = lifetime});
}

Certificate UserOf(const Certificate& authority, std::chrono::hours lifetime = 24h) {
  return *security::Issue(
      authority, {.common_name = "ada", .addresses = {}, .server = false, .lifetime = lifetime});
}

// A gRPC server with TLS, which takes certificates of users as ltmld does.
class TlsProbeTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { grpc_init(); }
  ~TlsProbeTest() override {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  std::string Serve(const Certificate& certificate) {
    grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = authority_.certificate;
    options.pem_key_cert_pairs.push_back({certificate.key, certificate.certificate});
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(options), &port);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    return fmt::format("127.0.0.1:{}", port);
  }
  TlsFiles Files(const Certificate& user) const {
    return {user.certificate, user.key, authority_.certificate};
  }
  static std::string Message(const absl::Status& status) { return std::string(status.message()); }

  const Certificate authority_ = Authority("pool");
  grpc::CallbackGenericService service_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(TlsProbeTest, NothingIsWrongWithGoodCertificates) {
  const std::string address = Serve(ServerOf(authority_));
  EXPECT_TRUE(ProbeTls(address, Files(UserOf(authority_)), kLimit).ok());
  EXPECT_TRUE(ProbeTls(address, Files({}), kLimit).ok()) << "a user with a token";
}

TEST_F(TlsProbeTest, AServersCertificateThatHasEnded) {
  const std::string address = Serve(ServerOf(authority_, "127.0.0.1", -1h));
  const absl::Status status = ProbeTls(address, Files(UserOf(authority_)), kLimit);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("certificate has expired"));
}

TEST_F(TlsProbeTest, AServerOfAForeignAuthority) {
  const std::string address = Serve(ServerOf(Authority("another")));
  const absl::Status status = ProbeTls(address, Files(UserOf(authority_)), kLimit);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("issuer certificate"));
}

TEST_F(TlsProbeTest, AServerOfAnotherName) {
  const std::string address = Serve(ServerOf(authority_, "10.0.0.1"));
  const absl::Status status = ProbeTls(address, Files(UserOf(authority_)), kLimit);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("IP address mismatch"));
}

TEST_F(TlsProbeTest, AUsersCertificateThatHasEnded) {
  const std::string address = Serve(ServerOf(authority_));
  const absl::Status status = ProbeTls(address, Files(UserOf(authority_, -1h)), kLimit);
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("closes the connection at this certificate"));
}

TEST_F(TlsProbeTest, AUserOfAForeignAuthority) {
  const std::string address = Serve(ServerOf(authority_));
  const absl::Status status = ProbeTls(address, Files(UserOf(Authority("another"))), kLimit);
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("another authority"));
}

TEST_F(TlsProbeTest, WhoDoesNotAnswerIsNotBlamed) {
  EXPECT_TRUE(ProbeTls("127.0.0.1:1", Files({}), kLimit).ok());
  EXPECT_TRUE(ProbeTls("nonsense", Files({}), kLimit).ok());
  EXPECT_TRUE(ProbeTls("unix:/nowhere/socket", Files({}), kLimit).ok());
}

}  // namespace
}  // namespace ltml::rpc
