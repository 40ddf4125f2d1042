#include "coordinator/store/group_commit.h"

#include <SQLiteCpp/Transaction.h>

#include <utility>

#include "coordinator/store/sqlite_status.h"

namespace ltml::store {

GroupCommit::GroupCommit(SQLite::Database& database)
    : database_(database), writer_(database), thread_([this] { Run(); }) {}

GroupCommit::~GroupCommit() {
  {
    const absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
}

void GroupCommit::Add(jobs::Change change, jobs::JobStore::Done done) {
  const absl::MutexLock lock(&mutex_);
  waiting_.push_back({std::move(change), std::move(done), absl::OkStatus()});
}

absl::Status GroupCommit::Commit(std::deque<Waiting>& batch, size_t begin, size_t end) {
  try {
    SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
    for (size_t i = begin; i < end; ++i) writer_.Write(batch[i].change);
    transaction.commit();
    return absl::OkStatus();
  } catch (const SQLite::Exception& error) {
    return FromSqlite(error, "cannot store a change");
  } catch (const std::exception& error) {
    return absl::InternalError(std::string("cannot store a change: ") + error.what());
  }
}

void GroupCommit::Run() {
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ending_ || !waiting_.empty();
  };
  while (true) {
    std::deque<Waiting> batch;
    {
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&ready));
      if (waiting_.empty()) return;
      batch.swap(waiting_);
    }
    const absl::Status together = Commit(batch, 0, batch.size());
    for (size_t i = 0; i < batch.size() && !together.ok(); ++i) {
      batch[i].status = batch.size() > 1 ? Commit(batch, i, i + 1) : together;
    }
    for (Waiting& one : batch) {
      if (!one.done) continue;
      answers_.Post([done = std::move(one.done), status = one.status] { done(status); });
    }
  }
}

}  // namespace ltml::store
