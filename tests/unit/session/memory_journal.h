#pragma once

#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/rpc/attempt_journal.h"

namespace ltml {

// A journal in memory that can hold its answers back, refuse, and be cut off as by a crash.
class MemoryJournal final : public coordinator::AttemptJournal {
 public:
  using Done = std::function<void(const absl::Status&)>;

  void Append(v1::JournalEntry entry, Done done) override {
    {
      absl::MutexLock lock(&mutex_);
      ++calls_;
      if (cut_) return;
      if (holds_) {
        held_.emplace_back(std::move(entry), std::move(done));
        return;
      }
      if (refusals_ == 0) entries_.push_back(entry);
    }
    done(Refuses() ? absl::UnavailableError("the disk is full") : absl::OkStatus());
  }

  void Hold() {
    absl::MutexLock lock(&mutex_);
    holds_ = true;
  }
  void Release() {
    std::deque<std::pair<v1::JournalEntry, Done>> held;
    {
      absl::MutexLock lock(&mutex_);
      holds_ = false;
      held.swap(held_);
      for (const auto& [entry, done] : held) entries_.push_back(entry);
    }
    for (const auto& [entry, done] : held) done(absl::OkStatus());
  }
  // The next `count` appends are refused.
  void Refuse(int count) {
    absl::MutexLock lock(&mutex_);
    refusals_ = count;
  }
  // The server is as good as dead: nothing it appends is kept or answered.
  void Cut() {
    absl::MutexLock lock(&mutex_);
    cut_ = true;
  }
  void Mend() {
    absl::MutexLock lock(&mutex_);
    cut_ = false;
  }
  std::vector<v1::JournalEntry> entries() const {
    absl::MutexLock lock(&mutex_);
    return entries_;
  }
  // False when there are fewer calls after ten seconds.
  bool AwaitCalls(int count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&] { return calls_ >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(10));
  }

 private:
  bool Refuses() {
    absl::MutexLock lock(&mutex_);
    if (refusals_ == 0) return false;
    --refusals_;
    return true;
  }

  mutable absl::Mutex mutex_;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;
  bool holds_ ABSL_GUARDED_BY(mutex_) = false;
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::pair<v1::JournalEntry, Done>> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::JournalEntry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ltml
