#pragma once

#include <SQLiteCpp/Database.h>

#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

struct sqlite3;

namespace ltml::store {

// Moves what the write-ahead log has gathered into the database, on a thread and a connection of
// its own: a commit that does it waits for several syncs of the disk.  Only a log that outgrows
// this thread is moved by the commit itself.
class Checkpointer {
 public:
  // Commits of `writer`, whose database is in `file`, are counted from now on until this object
  // ends.  Throws what SQLiteCpp throws.
  Checkpointer(SQLite::Database& writer, const std::string& file);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  static constexpr int kPages = 1000;           // of the log, from which on it is moved
  static constexpr int kLargestPages = 16'000;  // from which on commits help

 private:
  static int OnCommit(void* self, sqlite3* writer, const char* name, int pages);
  void Run();

  SQLite::Database& writer_;
  SQLite::Database own_;
  absl::Mutex mutex_;
  bool due_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ltml::store
