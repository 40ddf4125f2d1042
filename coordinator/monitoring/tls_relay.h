#pragma once

#include <openssl/ssl.h>

#include <atomic>

namespace ltml::monitoring {

// Serves one client of TLS, from its handshake to its end: passes what it sends to `target`, and
// what comes from there back.  Returns when either side ends or stands still for 5 s inside a
// record, after 30 s, or within a second when `ending` turns true.  Closes neither.
void RelayTls(SSL_CTX* context, int client, int target, const std::atomic<bool>& ending);

}  // namespace ltml::monitoring
