#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

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

// Appends one JSON line an entry, with the UTC time, to a file of mode 0600: all calls that change
// something, and all that were denied.  Control characters are escaped.  A full disk is told once
// in the log and does not fail calls.  Thread-safe.
class AuditLog {
 public:
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(const std::filesystem::path& file);
  virtual ~AuditLog() = default;
  virtual void Write(const AuditEntry& entry) = 0;
};

}  // namespace ltml::security
