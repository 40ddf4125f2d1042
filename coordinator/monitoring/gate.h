#pragma once

#include <optional>

#include "coordinator/monitoring/http.h"
#include "coordinator/security/identity.h"

namespace ltml::monitoring {

// Who may see pages and metrics.  On loopback every user of the machine, but no page of the web
// whose name was made to point there: Host must be a loopback name.  Elsewhere a user with a token,
// as "Bearer TOKEN", or as the password of "Basic NAME:TOKEN", which browsers ask for.
class Gate {
 public:
  // `directory` must outlive it.
  Gate(const security::Directory& directory, bool loopback)
      : directory_(directory), loopback_(loopback) {}

  // The answer of one that may not; nullopt: it may.  Thread-safe.
  std::optional<HttpResponse> Refuse(const HttpRequest& request) const;

 private:
  const security::Directory& directory_;
  const bool loopback_;
};

}  // namespace ltml::monitoring
