#pragma once

#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "coordinator/security/audit.h"

namespace ltml::security {

// Appends one JSON line an entry (message AuditRecord of store.proto) to a file of mode 0600.  A
// disk that takes none is told in the log, once until it takes some again.  Internal when the file
// cannot be opened.
absl::StatusOr<std::unique_ptr<AuditLog>> OpenAuditFile(const std::filesystem::path& file);

}  // namespace ltml::security
