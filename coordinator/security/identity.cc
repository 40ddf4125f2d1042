#include "coordinator/security/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "common/base/token_digest.h"
#include "common/rpc/details.h"

namespace ltml::security {
namespace {

Role Needed(Right right) {
  switch (right) {
    case Right::kView:
      return v1::ServerUser::ROLE_VIEWER;
    case Right::kSubmit:
      return v1::ServerUser::ROLE_SUBMITTER;
    case Right::kManage:
      return v1::ServerUser::ROLE_ADMIN;
  }
  return v1::ServerUser::ROLE_ADMIN;
}

absl::Status CheckUser(const v1::ServerUser& user) {
  if (!user.token_sha256().empty() && !base::IsDigestText(user.token_sha256())) {
    return absl::InvalidArgumentError(fmt::format(
        "user '{}': token_sha256 is not a sha256 of 64 lower-case hexadecimal digits; make it with "
        "printf %s TOKEN | sha256sum",
        user.name()));
  }
  return absl::OkStatus();
}

absl::Status Unauthenticated(const std::string& message) {
  return rpc::WithErrorInfo(absl::UnauthenticatedError(message), "NOT_IDENTIFIED");
}

}  // namespace

std::string RoleName(Role role) {
  switch (role) {
    case v1::ServerUser::ROLE_VIEWER:
      return "viewer";
    case v1::ServerUser::ROLE_SUBMITTER:
      return "submitter";
    case v1::ServerUser::ROLE_ADMIN:
      return "admin";
    default:
      return "none";
  }
}

absl::StatusOr<Directory> Directory::Create(const v1::ServerConfig& config) {
  Directory directory;
  directory.insecure_ = config.insecure();
  std::set<std::string> names;
  for (const v1::ServerUser& user : config.users()) {
    if (absl::Status checked = CheckUser(user); !checked.ok()) return checked;
    if (!names.insert(user.name()).second) {
      return absl::InvalidArgumentError(
          fmt::format("user '{}' is listed twice; names of users are unique", user.name()));
    }
    directory.users_.push_back(user);
  }
  return directory;
}

absl::StatusOr<User> Directory::Identify(const Proof& proof) const {
  if (proof.bearer_token) {
    const std::string digest = absl::BytesToHexString(base::TokenDigest(*proof.bearer_token));
    const v1::ServerUser* found = nullptr;
    // All are compared, so that the time tells nothing.
    for (const v1::ServerUser& user : users_) {
      if (base::SameDigest(digest, user.token_sha256())) found = &user;
    }
    if (found != nullptr) return User{found->name(), found->role()};
    return Unauthenticated("the bearer token belongs to no user; ask an administrator for one");
  }
  if (proof.certificate_name) {
    const auto user = std::ranges::find(users_, *proof.certificate_name, &v1::ServerUser::name);
    if (user != users_.end()) return User{user->name(), user->role()};
    return rpc::WithErrorInfo(
        absl::PermissionDeniedError(fmt::format(
            "the certificate's name '{}' is no user of this server; an administrator can add it to "
            "[[users]] in ltmld.toml",
            *proof.certificate_name)),
        "UNKNOWN_USER");
  }
  if (proof.local && insecure_ && users_.empty()) {
    return User{"local", v1::ServerUser::ROLE_ADMIN};
  }
  return Unauthenticated(
      "no certificate and no bearer token; set certificate and key, or token_file, in client.toml");
}

absl::Status CheckRight(const User& user, Right right) {
  const Role needed = Needed(right);
  if (user.role >= needed) return absl::OkStatus();
  return rpc::WithErrorInfo(
      absl::PermissionDeniedError(fmt::format("user '{}' has the role {}; this needs the role {}",
                                              user.name, RoleName(user.role), RoleName(needed))),
      "ROLE");
}

}  // namespace ltml::security
