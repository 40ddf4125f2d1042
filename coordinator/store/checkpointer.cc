#include "coordinator/store/checkpointer.h"

#include <sqlite3.h>

#include "common/base/log.h"

namespace ltml::store {
namespace {

// A log that could not be moved is moved the next time; the commits in it are safe.
void Move(sqlite3* database) {
  const int code =
      sqlite3_wal_checkpoint_v2(database, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code == SQLITE_OK || code == SQLITE_BUSY) return;
  base::Log(base::LogLevel::kWarning, "store_checkpoint_failed", "reason={}",
            base::LogValue(sqlite3_errmsg(database)));
}

// SQLite notices that there is a log when it first reads; before that it moves nothing, and says
// that all is well.
SQLite::Database OpenAndRead(const std::string& file) {
  SQLite::Database database(file, SQLite::OPEN_READWRITE);
  database.execAndGet("PRAGMA schema_version");
  return database;
}

}  // namespace

Checkpointer::Checkpointer(SQLite::Database& writer, const std::string& file)
    : writer_(writer), own_(OpenAndRead(file)), thread_([this] { Run(); }) {
  sqlite3_wal_hook(writer_.getHandle(), &OnCommit, this);
}

Checkpointer::~Checkpointer() {
  sqlite3_wal_hook(writer_.getHandle(), nullptr, nullptr);
  {
    const absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
}

int Checkpointer::OnCommit(void* self, sqlite3* writer, const char* /*name*/, int pages) {
  if (pages < kPages) return SQLITE_OK;
  auto& checkpointer = *static_cast<Checkpointer*>(self);
  {
    const absl::MutexLock lock(&checkpointer.mutex_);
    checkpointer.due_ = true;
  }
  if (pages >= kLargestPages) Move(writer);
  return SQLITE_OK;
}

void Checkpointer::Run() {
  const auto woken = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return due_ || ending_; };
  while (true) {
    {
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&woken));
      if (ending_) return;
      due_ = false;
    }
    Move(own_.getHandle());
  }
}

}  // namespace ltml::store
