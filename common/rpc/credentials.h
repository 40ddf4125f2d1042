#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace ltml::rpc {

struct TlsFiles {
  std::string certificate;  // PEM text, not paths; with its key, or both empty: none of its own
  std::string key;
  std::string authority;  // of the other side
};

// For a client.  Without an authority the connection is plaintext, which is refused with
// FailedPrecondition unless base::IsLocal(address).  InvalidArgument names what does not fit
// together.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentials(
    const std::string& address, const TlsFiles& files);

// For a server with TLS: clients may show a certificate, which must then be signed by `authority`.
// InvalidArgument names what is missing or does not fit together.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(const TlsFiles& files);

}  // namespace ltml::rpc
