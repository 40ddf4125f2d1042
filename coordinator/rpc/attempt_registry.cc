#include "coordinator/rpc/attempt_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/time/time.h"

namespace ltml::coordinator {
namespace {

constexpr std::chrono::seconds kLongestPause{5};
constexpr std::chrono::milliseconds kShortestPause{20};
constexpr int kKeepAlivesPerLease = 5;
constexpr std::chrono::seconds kTick{1};

}  // namespace

AttemptRegistry::AttemptRegistry(std::function<void()> tick)
    : tick_(std::move(tick)), thread_([this] { Loop(); }) {}

AttemptRegistry::~AttemptRegistry() {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
}

absl::Status AttemptRegistry::Add(const std::shared_ptr<LiveAttempt>& attempt) {
  const auto pause = std::clamp<std::chrono::nanoseconds>(attempt->lease() / kKeepAlivesPerLease,
                                                          kShortestPause, kLongestPause);
  absl::MutexLock lock(&mutex_);
  const bool added =
      entries_.try_emplace(attempt->job_id(), Entry{attempt, pause, Clock::now() + pause}).second;
  if (!added) {
    return absl::AlreadyExistsError(
        fmt::format("job '{}' has an attempt with sessions already", attempt->job_id()));
  }
  changed_ = true;
  return absl::OkStatus();
}

void AttemptRegistry::Remove(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  entries_.erase(job_id);
}

std::shared_ptr<LiveAttempt> AttemptRegistry::Find(const std::string& job_id) const {
  absl::MutexLock lock(&mutex_);
  const auto entry = entries_.find(job_id);
  return entry == entries_.end() ? nullptr : entry->second.attempt;
}

std::vector<std::shared_ptr<LiveAttempt>> AttemptRegistry::All() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<LiveAttempt>> attempts;
  for (const auto& [job_id, entry] : entries_) attempts.push_back(entry.attempt);
  return attempts;
}

std::vector<std::shared_ptr<LiveAttempt>> AttemptRegistry::TakeDue(Clock::time_point now,
                                                                   Clock::time_point* next) {
  absl::MutexLock lock(&mutex_);
  changed_ = false;
  std::vector<std::shared_ptr<LiveAttempt>> due;
  for (auto& [job_id, entry] : entries_) {
    if (entry.due <= now) {
      due.push_back(entry.attempt);
      entry.due = now + entry.pause;
    }
    *next = std::min(*next, entry.due);
  }
  return due;
}

bool AttemptRegistry::AwaitEnd(Clock::time_point next) {
  absl::MutexLock lock(&mutex_);
  const auto woken = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ending_ || changed_; };
  mutex_.AwaitWithTimeout(absl::Condition(&woken), absl::FromChrono(next - Clock::now()));
  return ending_;
}

void AttemptRegistry::Loop() {
  Clock::time_point next_tick = Clock::now() + kTick;
  while (true) {
    const Clock::time_point now = Clock::now();
    Clock::time_point next = next_tick;
    for (const auto& attempt : TakeDue(now, &next)) attempt->SendKeepAlives();
    if (now >= next_tick) {
      next_tick = now + kTick;
      for (const auto& attempt : All()) attempt->RetryJournal();
      tick_();
    }
    if (AwaitEnd(next)) return;
  }
}

}  // namespace ltml::coordinator
