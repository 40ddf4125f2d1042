#include "coordinator/store/sqlite_store.h"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <sys/stat.h>

#include <utility>

#include "common/base/status_macros.h"
#include "coordinator/jobs/job_query.h"
#include "coordinator/jobs/transition.h"
#include "coordinator/store/checkpointer.h"
#include "coordinator/store/group_commit.h"
#include "coordinator/store/schema.h"
#include "coordinator/store/sqlite_status.h"
#include "coordinator/store/store_folder.h"

namespace ltml::store {
namespace {

constexpr int kBusyMilliseconds = 10'000;

// Runs `work`, which may throw what SQLiteCpp throws; `what` is told with the error.
template <typename Work>
auto Guarded(const std::string& what, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    return FromSqlite(error, what);
  } catch (const std::exception& error) {
    return absl::InternalError(fmt::format("{}: {}", what, error.what()));
  }
}

template <typename Record>
absl::StatusOr<Record> Parse(const SQLite::Column& column, const std::string& what) {
  Record record;
  if (record.ParseFromArray(column.getBlob(), column.getBytes())) return record;
  return absl::DataLossError(fmt::format(
      "a record of {} in the store is damaged; put a copy of the store's folder back", what));
}

template <typename Record>
absl::StatusOr<std::vector<Record>> ParseAll(SQLite::Statement& query, const std::string& what) {
  std::vector<Record> records;
  while (query.executeStep()) {
    LTML_ASSIGN_OR_RETURN(Record record, Parse<Record>(query.getColumn(0), what));
    records.push_back(std::move(record));
  }
  return records;
}

absl::Status CheckIntegrity(SQLite::Database& database) {
  const std::string found = database.execAndGet("PRAGMA integrity_check(1)").getString();
  if (found == "ok") return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("the store '{}' is damaged: {}; put a copy of its folder back",
                  database.getFilename(), found));
}

absl::Status Prepare(SQLite::Database& database, int64_t largest_pages) {
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  if (largest_pages > 0) database.exec(fmt::format("PRAGMA max_page_count = {}", largest_pages));
  LTML_RETURN_IF_ERROR(CheckIntegrity(database));
  return Migrate(database, Migrations());
}

std::string ListText(const v1::ListJobsRequest& query, bool from_place) {
  std::string text = "SELECT record, place FROM jobs WHERE TRUE";
  if (!query.states().empty()) {
    text += " AND state IN (?";
    for (int i = 1; i < query.states_size(); ++i) text += ", ?";
    text += ")";
  }
  if (!query.owner().empty()) text += " AND owner = ?";
  if (!query.job_name().empty()) text += " AND job_name = ?";
  const bool up = jobs::OldestFirst(query);
  if (from_place) text += up ? " AND place > ?" : " AND place < ?";
  return text + (up ? " ORDER BY place" : " ORDER BY place DESC") + " LIMIT ?";
}

}  // namespace

class SqliteStore::Impl {
 public:
  Impl(StoreFolder folder, std::unique_ptr<SQLite::Database> written,
       std::unique_ptr<SQLite::Database> read)
      : folder_(std::move(folder)),
        written_(std::move(written)),
        read_(std::move(read)),
        checkpointer_(*written_, written_->getFilename()),
        commits_(*written_) {}

  GroupCommit& commits() { return commits_; }

  template <typename Work>
  auto Read(const std::string& what, const Work& work)
      -> decltype(work(std::declval<SQLite::Database&>())) {
    const absl::MutexLock lock(&mutex_);
    return Guarded(what, [&] { return work(*read_); });
  }

 private:
  const StoreFolder folder_;
  std::unique_ptr<SQLite::Database> written_;
  absl::Mutex mutex_;
  std::unique_ptr<SQLite::Database> read_ ABSL_PT_GUARDED_BY(mutex_);
  Checkpointer checkpointer_;
  GroupCommit commits_;  // first to end
};

SqliteStore::SqliteStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteStore::~SqliteStore() = default;

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const SqliteStoreOptions& options) {
  LTML_ASSIGN_OR_RETURN(StoreFolder folder, StoreFolder::Open(options.folder));
  const std::string file = (options.folder / "ltml.db").string();
  return Guarded(fmt::format("cannot open the store '{}'", file),
                 [&]() -> absl::StatusOr<std::unique_ptr<SqliteStore>> {
                   auto written = std::make_unique<SQLite::Database>(
                       file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyMilliseconds);
                   ::chmod(file.c_str(), 0600);
                   LTML_RETURN_IF_ERROR(Prepare(*written, options.largest_pages));
                   auto read = std::make_unique<SQLite::Database>(file, SQLite::OPEN_READONLY,
                                                                  kBusyMilliseconds);
                   return std::unique_ptr<SqliteStore>(new SqliteStore(std::make_unique<Impl>(
                       std::move(folder), std::move(written), std::move(read))));
                 });
}

void SqliteStore::Commit(jobs::Change change, Done done) {
  impl_->commits().Add(std::move(change), std::move(done));
}

absl::StatusOr<jobs::Snapshot> SqliteStore::Load() {
  return impl_->Read(
      "cannot load the store", [](SQLite::Database& database) -> absl::StatusOr<jobs::Snapshot> {
        jobs::Snapshot result;
        SQLite::Statement counts(database, "SELECT state, count(*) FROM jobs GROUP BY state");
        std::string waiting;
        while (counts.executeStep()) {
          const auto state = static_cast<v1::JobState>(counts.getColumn(0).getInt());
          if (jobs::IsTerminal(state)) {
            result.ended_jobs[jobs::StateName(state)] = counts.getColumn(1).getInt64();
          } else {
            waiting += fmt::format("{}{}", waiting.empty() ? "" : ", ", static_cast<int>(state));
          }
        }
        SQLite::Statement open(database, fmt::format("SELECT record FROM jobs WHERE state IN ({}) "
                                                     "ORDER BY place",
                                                     waiting));
        LTML_ASSIGN_OR_RETURN(result.jobs, ParseAll<v1::Job>(open, "jobs"));
        SQLite::Statement newest(
            database, "SELECT record FROM attempts WHERE job = ? ORDER BY epoch DESC LIMIT 1");
        for (const v1::Job& job : result.jobs) {
          newest.reset();
          newest.bind(1, job.name());
          LTML_ASSIGN_OR_RETURN(const auto found, ParseAll<v1::AttemptRecord>(newest, "attempts"));
          result.attempts.insert(result.attempts.end(), found.begin(), found.end());
        }
        SQLite::Statement hosts(database, "SELECT record FROM hosts ORDER BY name");
        LTML_ASSIGN_OR_RETURN(result.hosts, ParseAll<v1::HostRecord>(hosts, "hosts"));
        result.last_event =
            database.execAndGet("SELECT coalesce(max(sequence), 0) FROM events").getInt64();
        return result;
      });
}

absl::StatusOr<v1::Job> SqliteStore::Job(const std::string& name) {
  return impl_->Read("cannot read a job",
                     [&](SQLite::Database& database) -> absl::StatusOr<v1::Job> {
                       SQLite::Statement query(database, "SELECT record FROM jobs WHERE name = ?");
                       query.bind(1, name);
                       if (query.executeStep()) return Parse<v1::Job>(query.getColumn(0), name);
                       return absl::NotFoundError(fmt::format("there is no {}", name));
                     });
}

absl::StatusOr<jobs::JobPage> SqliteStore::List(const v1::ListJobsRequest& query) {
  LTML_ASSIGN_OR_RETURN(const std::optional<int64_t> place, jobs::PlaceOf(query));
  return impl_->Read(
      "cannot list jobs", [&](SQLite::Database& database) -> absl::StatusOr<jobs::JobPage> {
        SQLite::Statement list(database, ListText(query, place.has_value()));
        int index = 0;
        for (const int state : query.states()) list.bind(++index, state);
        if (!query.owner().empty()) list.bind(++index, query.owner());
        if (!query.job_name().empty()) list.bind(++index, query.job_name());
        if (place) list.bind(++index, *place);
        // One more tells whether there is another page.
        list.bind(++index, jobs::PageSize(query) + 1);
        jobs::JobPage page;
        int64_t last = 0;
        while (list.executeStep()) {
          if (static_cast<int>(page.jobs.size()) == jobs::PageSize(query)) {
            page.next_page_token = jobs::TokenAt(query, last);
            break;
          }
          LTML_ASSIGN_OR_RETURN(v1::Job job, Parse<v1::Job>(list.getColumn(0), "jobs"));
          page.jobs.push_back(jobs::Summary(std::move(job)));
          last = list.getColumn(1).getInt64();
        }
        return page;
      });
}

absl::StatusOr<std::vector<v1::JobEvent>> SqliteStore::Events(const std::string& job, int64_t after,
                                                              int limit) {
  return impl_->Read("cannot read events", [&](SQLite::Database& database) {
    SQLite::Statement query(database,
                            "SELECT record FROM events WHERE job = ? AND sequence > ? "
                            "ORDER BY sequence LIMIT ?");
    query.bind(1, job);
    query.bind(2, after);
    query.bind(3, limit);
    return ParseAll<v1::JobEvent>(query, "events");
  });
}

absl::StatusOr<std::optional<v1::SubmitRecord>> SqliteStore::FindSubmit(
    const std::string& owner, const std::string& request_id,
    std::chrono::system_clock::time_point since) {
  return impl_->Read(
      "cannot read submits",
      [&](SQLite::Database& database) -> absl::StatusOr<std::optional<v1::SubmitRecord>> {
        SQLite::Statement query(database,
                                "SELECT record FROM submits WHERE owner = ? AND request_id = ? "
                                "AND time_us >= ?");
        query.bind(1, owner);
        query.bind(2, request_id);
        query.bind(
            3,
            int64_t{std::chrono::duration_cast<std::chrono::microseconds>(since.time_since_epoch())
                        .count()});
        if (!query.executeStep()) return std::nullopt;
        LTML_ASSIGN_OR_RETURN(auto record, Parse<v1::SubmitRecord>(query.getColumn(0), "submits"));
        return record;
      });
}

absl::StatusOr<std::vector<v1::JournalEntry>> SqliteStore::Journal(const std::string& job,
                                                                   int64_t epoch) {
  return impl_->Read("cannot read a journal", [&](SQLite::Database& database) {
    SQLite::Statement query(
        database, "SELECT record FROM journal WHERE job = ? AND epoch = ? ORDER BY ordinal");
    query.bind(1, job);
    query.bind(2, epoch);
    return ParseAll<v1::JournalEntry>(query, "the journal");
  });
}

}  // namespace ltml::store
