#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace ltml::coordinator {

// Hands work from other threads to the one that calls Run, in order.  Thread-safe.
class EventQueue {
 public:
  void Post(std::function<void()> event) {
    const absl::MutexLock lock(&mutex_);
    events_.push_back(std::move(event));
  }

  // Waits for events, up to `limit`, and runs all there are.
  void Run(std::chrono::milliseconds limit) {
    std::deque<std::function<void()>> events;
    {
      const absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(this, &EventQueue::Filled), absl::FromChrono(limit));
      events.swap(events_);
    }
    for (const auto& event : events) event();
  }

 private:
  bool Filled() const { return !events_.empty(); }

  absl::Mutex mutex_;
  std::deque<std::function<void()>> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ltml::coordinator
