#include "coordinator/store/change_writer.h"

#include <SQLiteCpp/Statement.h>
#include <google/protobuf/util/time_util.h>

namespace ltml::store {
namespace {

using google::protobuf::util::TimeUtil;

void BindRecord(SQLite::Statement& statement, int index, const google::protobuf::Message& record) {
  const std::string bytes = record.SerializeAsString();
  statement.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

// The statement as new, also after one that failed, whose error reset() would throw again.
SQLite::Statement& Fresh(SQLite::Statement& statement) {
  (void)statement.tryReset();
  statement.clearBindings();
  return statement;
}

}  // namespace

struct ChangeWriter::Statements {
  explicit Statements(SQLite::Database& database)
      : job(database,
            "INSERT INTO jobs (name, owner, job_name, state, record) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, "
            "job_name = excluded.job_name, state = excluded.state, record = excluded.record"),
        attempt(database, "INSERT OR REPLACE INTO attempts (job, epoch, record) VALUES (?, ?, ?)"),
        event(database, "INSERT INTO events (sequence, job, record) VALUES (?, ?, ?)"),
        submit(database,
               "INSERT OR REPLACE INTO submits (owner, request_id, time_us, record) "
               "VALUES (?, ?, ?, ?)"),
        host(database, "INSERT OR REPLACE INTO hosts (name, record) VALUES (?, ?)"),
        journal(database, "INSERT INTO journal (job, epoch, window, record) VALUES (?, ?, ?, ?)"),
        old_windows(database, "DELETE FROM journal WHERE job = ? AND epoch = ? AND window < ?"),
        ended(database, "DELETE FROM journal WHERE job = ? AND epoch = ?") {}
  SQLite::Statement job, attempt, event, submit, host, journal, old_windows, ended;
};

ChangeWriter::ChangeWriter(SQLite::Database& database)
    : statements_(std::make_unique<Statements>(database)) {}
ChangeWriter::~ChangeWriter() = default;

void ChangeWriter::WriteJob(const v1::Job& job) {
  SQLite::Statement& statement = Fresh(statements_->job);
  statement.bind(1, job.name());
  statement.bind(2, job.owner());
  statement.bind(3, job.spec().name());
  statement.bind(4, job.state());
  BindRecord(statement, 5, job);
  statement.exec();
}

void ChangeWriter::WriteSubmit(const v1::SubmitRecord& submit) {
  SQLite::Statement& statement = Fresh(statements_->submit);
  statement.bind(1, submit.owner());
  statement.bind(2, submit.request_id());
  statement.bind(3, TimeUtil::TimestampToMicroseconds(submit.time()));
  BindRecord(statement, 4, submit);
  statement.exec();
}

void ChangeWriter::WriteJournal(const jobs::Change::Journal& journal) {
  SQLite::Statement& statement = Fresh(statements_->journal);
  statement.bind(1, journal.job);
  statement.bind(2, journal.epoch);
  if (journal.entry.has_window()) statement.bind(3, journal.entry.window().window());
  BindRecord(statement, 4, journal.entry);
  statement.exec();
  if (!journal.entry.has_window()) return;
  SQLite::Statement& old = Fresh(statements_->old_windows);
  old.bind(1, journal.job);
  old.bind(2, journal.epoch);
  old.bind(3, journal.entry.window().window() - 2);
  old.exec();
}

void ChangeWriter::Write(const jobs::Change& change) {
  for (const v1::Job& job : change.jobs) WriteJob(job);
  for (const v1::AttemptRecord& record : change.attempts) {
    SQLite::Statement& statement = Fresh(statements_->attempt);
    statement.bind(1, record.job());
    statement.bind(2, record.attempt().epoch());
    BindRecord(statement, 3, record);
    statement.exec();
  }
  for (const v1::JobEvent& event : change.events) {
    SQLite::Statement& statement = Fresh(statements_->event);
    statement.bind(1, event.sequence());
    statement.bind(2, event.job());
    BindRecord(statement, 3, event);
    statement.exec();
  }
  if (change.submit) WriteSubmit(*change.submit);
  for (const v1::HostRecord& host : change.hosts) {
    SQLite::Statement& statement = Fresh(statements_->host);
    statement.bind(1, host.name());
    BindRecord(statement, 2, host);
    statement.exec();
  }
  for (const auto& journal : change.journal) WriteJournal(journal);
  for (const auto& [job, epoch] : change.ended_attempts) {
    SQLite::Statement& statement = Fresh(statements_->ended);
    statement.bind(1, job);
    statement.bind(2, epoch);
    statement.exec();
  }
}

}  // namespace ltml::store
