#pragma once

#include <SQLiteCpp/Database.h>

#include <span>

#include "absl/status/status.h"

namespace ltml::store {

// The statements that bring a database from version i to i + 1 (PRAGMA user_version).  Entries are
// added at the end and never changed.
std::span<const char* const> Migrations();

// Brings the database to the newest version, step by step, each in one transaction.
// FailedPrecondition for a database of a later version.
absl::Status Migrate(SQLite::Database& database, std::span<const char* const> migrations);

}  // namespace ltml::store
