#include "coordinator/store/sqlite_store.h"

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/base/files.h"
#include "coordinator/store/schema.h"
#include "coordinator/store/sqlite_status.h"
#include "tests/unit/jobs/job_store_contract.h"

namespace ltml::store {
namespace {

using jobs::Change;
using jobs::JobStoreContract;
using testing::HasSubstr;

std::unique_ptr<SqliteStore> OpenAt(const std::filesystem::path& folder, int64_t pages = 0) {
  auto store = SqliteStore::Open({.folder = folder, .largest_pages = pages});
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

struct SqliteUnderTest : jobs::StoreUnderTest {
  jobs::JobStore& store() override { return *opened; }
  bool Reopen() override {
    opened.reset();
    opened = OpenAt(folder.path() / "store");
    return true;
  }
  base::PrivateFolder folder = *base::PrivateFolder::Create("ltml-store");
  std::unique_ptr<SqliteStore> opened = OpenAt(folder.path() / "store");
};

std::unique_ptr<jobs::StoreUnderTest> MakeSqliteStore() {
  return std::make_unique<SqliteUnderTest>();
}

}  // namespace
}  // namespace ltml::store

namespace ltml::jobs {
INSTANTIATE_TEST_SUITE_P(Sqlite, JobStoreContract, testing::Values(&store::MakeSqliteStore));
}  // namespace ltml::jobs

namespace ltml::store {
namespace {

class SqliteStoreTest : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "store"; }
  std::filesystem::path database() const { return path() / "ltml.db"; }

  static absl::Status CommitTo(SqliteStore& store, Change change) {
    std::promise<absl::Status> answer;
    store.Commit(std::move(change), [&](const absl::Status& status) { answer.set_value(status); });
    return answer.get_future().get();
  }
  static Change EventChange(int64_t sequence) {
    Change change;
    change.events = {jobs::StoredEvent("a", sequence)};
    return change;
  }

 private:
  base::PrivateFolder folder_ = *base::PrivateFolder::Create("ltml-store");
};

TEST_F(SqliteStoreTest, IsPrivateAndDurable) {
  const auto store = OpenAt(path());
  const auto mode = [](const std::filesystem::path& file) {
    return std::filesystem::status(file).permissions();
  };
  EXPECT_EQ(mode(path()), std::filesystem::perms::owner_all);
  EXPECT_EQ(mode(database()),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  SQLite::Database look(database().string(), SQLite::OPEN_READONLY);
  EXPECT_EQ(look.execAndGet("PRAGMA journal_mode").getString(), "wal");
}

TEST_F(SqliteStoreTest, ASecondServerIsToldWhoHasTheStore) {
  const auto store = OpenAt(path());
  const absl::Status second = SqliteStore::Open({.folder = path()}).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.message()), HasSubstr(std::to_string(::getpid())));
}

TEST_F(SqliteStoreTest, ADamagedFileIsTold) {
  OpenAt(path()).reset();
  std::ofstream(database(), std::ios::binary) << std::string(8192, 'x');
  const absl::Status opened = SqliteStore::Open({.folder = path()}).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kDataLoss) << opened;
  EXPECT_THAT(std::string(opened.message()), HasSubstr("ltml.db"));
}

TEST_F(SqliteStoreTest, ADamagedPageIsFoundAtTheStart) {
  {
    const auto store = OpenAt(path());
    for (int i = 1; i <= 400; ++i) ASSERT_TRUE(CommitTo(*store, EventChange(i)).ok());
  }
  std::fstream file(database(), std::ios::in | std::ios::out | std::ios::binary);
  for (const int page : {3, 4, 5, 6, 7}) {
    file.seekp(page * 4096);
    file.write(std::string(4096, '\x7f').data(), 4096);
  }
  file.close();
  EXPECT_EQ(SqliteStore::Open({.folder = path()}).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SqliteStoreTest, AStoreOfALaterVersionIsRefused) {
  OpenAt(path()).reset();
  SQLite::Database(database().string(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
  const absl::Status opened = SqliteStore::Open({.folder = path()}).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.message()), HasSubstr("version 99"));
}

TEST_F(SqliteStoreTest, MigratesForwardAndKeepsWhatIsThere) {
  {
    const auto store = OpenAt(path());
    ASSERT_TRUE(CommitTo(*store, EventChange(7)).ok());
  }
  std::vector<const char*> later(Migrations().begin(), Migrations().end());
  later.push_back("ALTER TABLE events ADD COLUMN seen INTEGER NOT NULL DEFAULT 5");
  SQLite::Database opened(database().string(), SQLite::OPEN_READWRITE);
  ASSERT_TRUE(Migrate(opened, later).ok());
  EXPECT_EQ(opened.execAndGet("SELECT seen FROM events WHERE sequence = 7").getInt(), 5);
  EXPECT_EQ(opened.execAndGet("PRAGMA user_version").getInt(), static_cast<int>(later.size()));
  EXPECT_TRUE(Migrate(opened, later).ok());
}

TEST_F(SqliteStoreTest, AFailedMigrationLeavesTheVersionBefore) {
  OpenAt(path()).reset();
  std::vector<const char*> broken(Migrations().begin(), Migrations().end());
  broken.push_back("CREATE TABLE half (x INTEGER) STRICT; SELECT no_such_function()");
  SQLite::Database opened(database().string(), SQLite::OPEN_READWRITE);
  EXPECT_THROW((void)Migrate(opened, broken), SQLite::Exception);
  EXPECT_FALSE(opened.tableExists("half"));
  EXPECT_EQ(opened.execAndGet("PRAGMA user_version").getInt(),
            static_cast<int>(Migrations().size()));
}

TEST_F(SqliteStoreTest, AFullDiskStoresNothingOfAChangeAndGoesOnAfterwards) {
  Change large;
  large.jobs = {jobs::StoredJob("large")};
  large.jobs[0].mutable_failure()->set_message(std::string(4 << 20, 'x'));
  large.events = {jobs::StoredEvent("large", 2)};
  {
    const auto store = OpenAt(path(), 200);
    ASSERT_TRUE(CommitTo(*store, EventChange(1)).ok());
    EXPECT_EQ(CommitTo(*store, large).code(), absl::StatusCode::kUnavailable);
    EXPECT_FALSE(store->Job("jobs/large").ok());
    EXPECT_TRUE(store->Events("jobs/large", 0, 10)->empty());
    EXPECT_TRUE(CommitTo(*store, EventChange(3)).ok());
  }
  const auto store = OpenAt(path());
  EXPECT_TRUE(CommitTo(*store, large).ok());
  EXPECT_TRUE(store->Job("jobs/large").ok());
  EXPECT_EQ(store->Load()->last_event, 3);
}

TEST_F(SqliteStoreTest, OneBadChangeFailsNoOther) {
  const auto store = OpenAt(path());
  constexpr int kChanges = 50;
  std::vector<absl::Status> answers(kChanges);
  for (int i = 0; i < kChanges; ++i) {
    // Number 20 repeats a sequence number.
    store->Commit(EventChange(i == 20 ? 1 : i + 1),
                  [&answers, i](const absl::Status& status) { answers[i] = status; });
  }
  ASSERT_TRUE(CommitTo(*store, {}).ok());
  for (int i = 0; i < kChanges; ++i) EXPECT_EQ(answers[i].ok(), i != 20) << i << answers[i];
  EXPECT_EQ(store->Events("jobs/a", 0, 1000)->size(), static_cast<size_t>(kChanges - 1));
}

// The child says on a pipe which commits were acknowledged, and is killed in the middle.
TEST_F(SqliteStoreTest, WhatWasAcknowledgedSurvivesAKill) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[0]);
    const auto store = OpenAt(path());
    for (int64_t sequence = 1;; ++sequence) {
      if (!CommitTo(*store, EventChange(sequence)).ok()) _exit(1);
      if (::write(pipe[1], &sequence, sizeof sequence) != sizeof sequence) _exit(1);
    }
  }
  ::close(pipe[1]);
  int64_t acknowledged = 0;
  while (acknowledged < 30) {
    ASSERT_EQ(::read(pipe[0], &acknowledged, sizeof acknowledged),
              static_cast<ssize_t>(sizeof acknowledged));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (::read(pipe[0], &acknowledged, sizeof acknowledged) ==
         static_cast<ssize_t>(sizeof acknowledged)) {
  }
  ::close(pipe[0]);
  const auto store = OpenAt(path());
  const auto events = store->Events("jobs/a", 0, 1 << 20);
  ASSERT_TRUE(events.ok());
  ASSERT_GE(std::ssize(*events), acknowledged);
  for (size_t i = 0; i < events->size(); ++i) {
    EXPECT_EQ((*events)[i].sequence(), static_cast<int64_t>(i) + 1);
  }
}

TEST_F(SqliteStoreTest, TakesTenThousandJobs) {
  const auto store = OpenAt(path());
  constexpr int kJobs = 10'000;
  for (int i = 0; i < kJobs; ++i) {
    Change change;
    change.jobs = {jobs::StoredJob(std::to_string(i))};
    store->Commit(std::move(change), nullptr);
  }
  ASSERT_TRUE(CommitTo(*store, {}).ok());
  EXPECT_EQ(store->Load()->jobs.size(), static_cast<size_t>(kJobs));
  const auto page = store->List({});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->jobs[0].name(), "jobs/9999");
}

TEST_F(SqliteStoreTest, TheLogIsMovedIntoTheDatabaseBesideTheCommits) {
  const auto store = OpenAt(path());
  constexpr int kJobs = 500;
  constexpr size_t kBytes = 20'000;
  for (int i = 0; i < kJobs; ++i) {
    Change change;
    change.jobs = {jobs::StoredJob(std::to_string(i))};
    change.jobs[0].set_wait_reason(std::string(kBytes, 'x'));
    ASSERT_TRUE(CommitTo(*store, std::move(change)).ok());
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::filesystem::file_size(database()) < kJobs * kBytes / 2) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "all is in the log still";
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

TEST(SqliteStatus, EveryCodeHasItsStatus) {
  const std::map<int, absl::StatusCode> expected = {
      {SQLITE_FULL, absl::StatusCode::kUnavailable},
      {SQLITE_IOERR, absl::StatusCode::kUnavailable},
      {SQLITE_IOERR_FSYNC, absl::StatusCode::kUnavailable},
      {SQLITE_CANTOPEN, absl::StatusCode::kUnavailable},
      {SQLITE_READONLY, absl::StatusCode::kUnavailable},
      {SQLITE_BUSY, absl::StatusCode::kUnavailable},
      {SQLITE_LOCKED, absl::StatusCode::kUnavailable},
      {SQLITE_CORRUPT, absl::StatusCode::kDataLoss},
      {SQLITE_NOTADB, absl::StatusCode::kDataLoss},
      {SQLITE_CONSTRAINT, absl::StatusCode::kInternal},
      {SQLITE_MISUSE, absl::StatusCode::kInternal}};
  for (const auto& [code, status] : expected) {
    EXPECT_EQ(FromSqlite(code, "what", "why").code(), status) << code;
    EXPECT_THAT(std::string(FromSqlite(code, "what", "why").message()), HasSubstr("what: why"));
  }
}

}  // namespace
}  // namespace ltml::store
