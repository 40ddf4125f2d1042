#include "coordinator/store/sqlite_status.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace ltml::store {

absl::Status FromSqlite(int code, const std::string& what, const std::string& text) {
  // Extended codes carry the plain one in their low byte.
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return absl::UnavailableError(
          fmt::format("{}: {}; free space on the store's disk", what, text));
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(
          fmt::format("{}: {}; see that the store's folder can be written", what, text));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(
          fmt::format("{}: {}; the store is damaged: put a copy of its folder back", what, text));
    default:
      return absl::InternalError(fmt::format("{}: {} (SQLite code {})", what, text, code));
  }
}

absl::Status FromSqlite(const SQLite::Exception& error, const std::string& what) {
  return FromSqlite(error.getErrorCode(), what, error.what());
}

}  // namespace ltml::store
