#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/monitoring/http.h"

namespace ltml::monitoring {

// Limits of one server, fixed: what it serves is small, and asked for by few.
inline constexpr int kHttpConnections = 16;      // served at once
inline constexpr int kHttpWaiting = 32;          // accepted, and waiting for one of those
inline constexpr int kHttpRequestBytes = 16384;  // of a request's line and headers
inline constexpr int kHttpTimeoutMs = 5000;  // to send a request, or to take a piece of an answer

struct HttpOptions {
  std::string address;           // HOST:PORT; port 0: any
  std::string certificate, key;  // PEM files, for an IPv4 address; empty: plaintext
  HttpHandler handler;
};

// civetweb, with nothing of it but connections and parsing: every request goes to the handler, and
// no file, script or upgrade is served.  GET and HEAD alone, one a connection; every answer forbids
// what a page of ours does not need (Content-Security-Policy, nosniff, no-referrer, no-store).
class HttpServer {
 public:
  // Unavailable: the address is taken, or none of this machine.  FailedPrecondition: a
  // certificate that cannot be used.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpOptions options);
  // Ends connections; no call of the handler comes after.
  virtual ~HttpServer() = default;
  // With the port that was taken for port 0.
  virtual const std::string& address() const = 0;
};

}  // namespace ltml::monitoring
