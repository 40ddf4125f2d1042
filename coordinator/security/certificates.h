#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ltml::security {

// A certificate (PEM) with its private key (PEM, ECDSA P-256).
struct Certificate {
  std::string certificate;
  std::string key;
};

// A private authority that signs a pool's certificates, good for ten years.
absl::StatusOr<Certificate> MakeAuthority(const std::string& name);

struct CertificateRequest {
  std::string common_name;             // of a user: the user's name
  std::vector<std::string> addresses;  // of a server: host names and IP addresses it is reached by
  bool server = false;                 // for a server or a client
  std::chrono::hours lifetime{24 * 825};
};
// InvalidArgument for an empty name or an address that is neither name nor IP address.
absl::StatusOr<Certificate> Issue(const Certificate& authority, const CertificateRequest& request);

// When a PEM certificate ends; InvalidArgument when it is none.
absl::StatusOr<std::chrono::system_clock::time_point> ExpiryOf(const std::string& certificate);

}  // namespace ltml::security
