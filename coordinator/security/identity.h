#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ltml/v1/server_config.pb.h"

namespace ltml::security {

using Role = v1::ServerUser::Role;

// As ltmld.toml calls it: "viewer", "submitter", "admin"; "none" for the rest.
std::string RoleName(Role role);

struct User {
  std::string name;
  Role role = v1::ServerUser::ROLE_UNSPECIFIED;
};

// How a caller proves who it is, as gRPC saw it.
struct Proof {
  std::optional<std::string> certificate_name{};  // common name of a certificate that TLS verified
  std::optional<std::string> bearer_token{};      // of "authorization: Bearer ..."
  bool local = false;                             // on a plaintext listener
};

// Knows the users of ltmld.toml.  Immutable, thread-safe.
class Directory {
 public:
  // InvalidArgument: names that repeat, token digests that are no sha256.
  static absl::StatusOr<Directory> Create(const v1::ServerConfig& config);

  // Unauthenticated without a proof or with a wrong token; PermissionDenied for a certificate whose
  // name is no user.  On an insecure server without any users every caller is the admin "local";
  // with users, a token is needed there too.  Compares digests in constant time.
  absl::StatusOr<User> Identify(const Proof& proof) const;

 private:
  std::vector<v1::ServerUser> users_;
  bool insecure_ = false;
};

// What an RPC needs: kView for Get, List, Watch, Logs, GetReport, Validate, ListHosts; kSubmit for
// Submit, Cancel, Pause, Resume; kManage for Drain, Undrain.
enum class Right { kView, kSubmit, kManage };

// PermissionDenied names user, role, and the role that would be needed.
absl::Status CheckRight(const User& user, Right right);

}  // namespace ltml::security
