#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace ltml::monitoring {

struct TlsFrontOptions {
  std::string address;           // HOST:PORT, an IPv4 address; port 0: any
  std::string certificate, key;  // PEM files
  uint16_t target_port = 0;      // on 127.0.0.1
  int most_connections = 16;     // more are closed at once
};

// Takes TLS 1.2 and later off connections and passes their bytes on to a server on loopback.
// civetweb as Debian builds it cannot do TLS with OpenSSL 3.
class TlsFront {
 public:
  // FailedPrecondition: a certificate or key that cannot be used.  Unavailable: the address.
  static absl::StatusOr<std::unique_ptr<TlsFront>> Start(TlsFrontOptions options);
  // Ends all connections.
  virtual ~TlsFront() = default;
  virtual const std::string& address() const = 0;
};

}  // namespace ltml::monitoring
