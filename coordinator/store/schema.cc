#include "coordinator/store/schema.h"

#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include <array>

#include "coordinator/store/sqlite_status.h"

namespace ltml::store {
namespace {

// Records are the messages of store.proto and job_service.proto; columns beside them are what
// queries ask for.  Times are microseconds since 1970, UTC.
constexpr char kFirst[] = R"(
CREATE TABLE jobs (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  job_name TEXT NOT NULL,
  state INTEGER NOT NULL,
  record BLOB NOT NULL
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, place);
CREATE INDEX jobs_by_owner ON jobs (owner, place);
CREATE INDEX jobs_by_job_name ON jobs (job_name, place);
CREATE TABLE attempts (
  job TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  record BLOB NOT NULL,
  PRIMARY KEY (job, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
  sequence INTEGER PRIMARY KEY,
  job TEXT NOT NULL,
  record BLOB NOT NULL
) STRICT;
CREATE INDEX events_by_job ON events (job, sequence);
CREATE TABLE submits (
  owner TEXT NOT NULL,
  request_id TEXT NOT NULL,
  time_us INTEGER NOT NULL,
  record BLOB NOT NULL,
  PRIMARY KEY (owner, request_id)
) STRICT;
CREATE TABLE hosts (
  name TEXT PRIMARY KEY,
  record BLOB NOT NULL
) STRICT;
CREATE TABLE journal (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  job TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  window INTEGER,
  record BLOB NOT NULL
) STRICT;
CREATE INDEX journal_by_attempt ON journal (job, epoch, ordinal);
)";

constexpr std::array<const char*, 1> kMigrations = {kFirst};

}  // namespace

std::span<const char* const> Migrations() { return kMigrations; }

absl::Status Migrate(SQLite::Database& database, std::span<const char* const> migrations) {
  const int newest = static_cast<int>(migrations.size());
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (version > newest) {
    return absl::FailedPreconditionError(
        fmt::format("the store '{}' has version {}, this ltmld knows versions up to {}; run the "
                    "ltmld that made "
                    "it, or a newer one",
                    database.getFilename(), version, newest));
  }
  for (int next = version; next < newest; ++next) {
    SQLite::Transaction transaction(database);
    database.exec(migrations[next]);
    database.exec(fmt::format("PRAGMA user_version = {}", next + 1));
    transaction.commit();
  }
  return absl::OkStatus();
}

}  // namespace ltml::store
