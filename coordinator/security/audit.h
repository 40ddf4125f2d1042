#pragma once

#include <string>

namespace ltml::security {

struct AuditEntry {
  std::string request_id;
  std::string user;     // empty: not identified
  std::string peer;     // "ipv4:10.0.0.7:51000"
  std::string method;   // "JobService.Submit"
  std::string subject;  // "jobs/..." or a host; may be empty
  std::string result;   // "OK" or a status code's name
  std::string message;
};

// Takes down all calls that change something, and all that were denied.  A record that cannot be
// kept does not fail its call.  Thread-safe.
class AuditLog {
 public:
  virtual ~AuditLog() = default;
  virtual void Write(const AuditEntry& entry) = 0;
};

}  // namespace ltml::security
