#include "coordinator/security/identity.h"

#include <gmock/gmock.h>

#include "absl/strings/escaping.h"
#include "common/base/token_digest.h"
#include "common/rpc/details.h"

namespace ltml::security {
namespace {

using testing::HasSubstr;

v1::ServerConfig Config() {
  v1::ServerConfig config;
  const auto add = [&](const char* name, Role role, const char* token) {
    v1::ServerUser& user = *config.add_users();
    user.set_name(name);
    user.set_role(role);
    if (*token != '\0') user.set_token_sha256(absl::BytesToHexString(base::TokenDigest(token)));
  };
  add("vera", v1::ServerUser::ROLE_VIEWER, "");
  add("sam", v1::ServerUser::ROLE_SUBMITTER, "sams token");
  add("ada", v1::ServerUser::ROLE_ADMIN, "adas token");
  return config;
}

absl::StatusOr<User> Identify(const v1::ServerConfig& config, const Proof& proof) {
  return Directory::Create(config)->Identify(proof);
}

TEST(Directory, FindsUsersByCertificateAndByToken) {
  const auto by_certificate = Identify(Config(), {.certificate_name = "vera"});
  ASSERT_TRUE(by_certificate.ok()) << by_certificate.status();
  EXPECT_EQ(by_certificate->role, v1::ServerUser::ROLE_VIEWER);
  const auto by_token = Identify(Config(), {.bearer_token = "adas token"});
  ASSERT_TRUE(by_token.ok()) << by_token.status();
  EXPECT_EQ(by_token->name, "ada");
}

TEST(Directory, RefusesWrongMissingAndEmptyProofs) {
  for (const Proof& proof : {Proof{}, Proof{.bearer_token = "sams tokem"},
                             Proof{.bearer_token = ""}, Proof{.local = true}}) {
    const absl::Status status = Identify(Config(), proof).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    EXPECT_EQ(rpc::ErrorReason(status), "NOT_IDENTIFIED");
  }
}

// A wrong token is not saved by a good certificate: the caller meant to be somebody else.
TEST(Directory, AWrongTokenCountsMoreThanACertificate) {
  EXPECT_FALSE(Identify(Config(), {.certificate_name = "ada", .bearer_token = "x"}).ok());
}

TEST(Directory, ACertificateOfNoUserIsDenied) {
  const absl::Status status = Identify(Config(), {.certificate_name = "eve"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'eve'"));
}

TEST(Directory, OnAnInsecureServerWithoutUsersEverybodyIsTheAdmin) {
  v1::ServerConfig config;
  config.set_insecure(true);
  const auto user = Identify(config, {.local = true});
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(user->role, v1::ServerUser::ROLE_ADMIN);
  EXPECT_FALSE(Identify(config, {.local = false}).ok());
  v1::ServerConfig with_users = Config();
  with_users.set_insecure(true);
  EXPECT_FALSE(Identify(with_users, {.local = true}).ok());
  EXPECT_TRUE(Identify(with_users, {.bearer_token = "sams token", .local = true}).ok());
}

TEST(Directory, RefusesRepeatedNamesAndDigestsThatAreNone) {
  v1::ServerConfig twice = Config();
  *twice.add_users() = twice.users(0);
  EXPECT_EQ(Directory::Create(twice).status().code(), absl::StatusCode::kInvalidArgument);
  for (const std::string& digest :
       {std::string("abc"), std::string(64, 'G'), std::string(63, 'a')}) {
    v1::ServerConfig bad = Config();
    bad.mutable_users(0)->set_token_sha256(digest);
    EXPECT_EQ(Directory::Create(bad).status().code(), absl::StatusCode::kInvalidArgument) << digest;
  }
}

TEST(CheckRight, FollowsTheTable) {
  struct Row {
    Role role;
    bool view, submit, manage;
  };
  for (const Row& row : {Row{v1::ServerUser::ROLE_UNSPECIFIED, false, false, false},
                         Row{v1::ServerUser::ROLE_VIEWER, true, false, false},
                         Row{v1::ServerUser::ROLE_SUBMITTER, true, true, false},
                         Row{v1::ServerUser::ROLE_ADMIN, true, true, true}}) {
    const User user{"u", row.role};
    EXPECT_EQ(CheckRight(user, Right::kView).ok(), row.view) << row.role;
    EXPECT_EQ(CheckRight(user, Right::kSubmit).ok(), row.submit) << row.role;
    EXPECT_EQ(CheckRight(user, Right::kManage).ok(), row.manage) << row.role;
  }
  const absl::Status denied = CheckRight({"vera", v1::ServerUser::ROLE_VIEWER}, Right::kManage);
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(denied.message()), HasSubstr("needs the role admin"));
}

}  // namespace
}  // namespace ltml::security
