#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace ltml::session {

// Ends a process whose attempt is over.  A thread watches the lease on the steady clock; when
// nothing has renewed it for its length, or End was called, it calls `over` once with the reason,
// and when this object still lives `grace` later, it logs an event and ends the process at once
// with kFencedExitStatus.  Thread-safe.
class LeaseWatch {
 public:
  LeaseWatch(std::chrono::nanoseconds lease, std::chrono::nanoseconds grace,
             std::function<void(const std::string&)> over);
  ~LeaseWatch();

  void Renew();
  // The attempt is over now.
  void End(const std::string& reason);
  // From now on neither the lease nor End is judged; too late when it is over already.
  void Rest();

 private:
  using Clock = std::chrono::steady_clock;
  // False when there is nothing left to judge.
  bool AwaitEnd();
  void AwaitDestruction();

  const std::chrono::nanoseconds lease_;
  const std::chrono::nanoseconds grace_;
  const std::function<void(const std::string&)> over_;
  std::atomic<Clock::time_point> renewed_;
  absl::Mutex mutex_;
  std::string reason_ ABSL_GUARDED_BY(mutex_);
  bool changed_ ABSL_GUARDED_BY(mutex_) = false;  // End, Rest or destruction
  bool rests_ ABSL_GUARDED_BY(mutex_) = false;
  bool destroyed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ltml::session
