#pragma once

#include <SQLiteCpp/Database.h>

#include <map>
#include <memory>
#include <string>

#include "coordinator/jobs/job_store.h"

namespace ltml::store {

// Writes changes into a database, inside a transaction of the caller.  Keeps prepared statements.
// Throws SQLite::Exception.  Not thread-safe.
class ChangeWriter {
 public:
  explicit ChangeWriter(SQLite::Database& database);
  ~ChangeWriter();
  void Write(const jobs::Change& change);

 private:
  struct Statements;
  void WriteJob(const v1::Job& job);
  void WriteSubmit(const v1::SubmitRecord& submit);
  void WriteJournal(const jobs::Change::Journal& journal);

  std::unique_ptr<Statements> statements_;
};

}  // namespace ltml::store
