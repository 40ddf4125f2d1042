#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "common/rpc/credentials.h"

namespace ltml::rpc {

// Why a server that answers is refused, or refuses: gRPC calls both "unavailable" and keeps the
// reason to itself.  Makes a connection of its own.
//
// FailedPrecondition: the server's certificate has ended, is not signed by `files.authority`, or is
// of another name.  Unauthenticated: the server closes the connection when it has seen the
// certificate of `files`, as one that is just ending may do too.  OK: nothing of this kind, or
// nobody answers within `limit`.
absl::Status ProbeTls(const std::string& address, const TlsFiles& files,
                      std::chrono::nanoseconds limit);

}  // namespace ltml::rpc
