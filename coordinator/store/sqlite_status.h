#pragma once

#include <SQLiteCpp/Exception.h>

#include <string>

#include "absl/status/status.h"

namespace ltml::store {

// The only table from SQLite's result codes to statuses:
//
//   SQLITE_FULL, IOERR, CANTOPEN, READONLY, BUSY, LOCKED   Unavailable: mend the disk, then go on
//   SQLITE_CORRUPT, NOTADB                                 DataLoss: restore a copy
//   everything else                                        Internal
//
// The message holds `what`, SQLite's own text and the cure.
absl::Status FromSqlite(int code, const std::string& what, const std::string& text);
absl::Status FromSqlite(const SQLite::Exception& error, const std::string& what);

}  // namespace ltml::store
