#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "absl/synchronization/mutex.h"

namespace ltml::base {

// Runs work on one thread of its own, in the order in which it was posted.  Thread-safe.
class Lane {
 public:
  Lane();
  ~Lane() { End(); }
  // After End the work is dropped.
  void Post(std::function<void()> work);
  // Runs what was posted, then ends the thread.  Not from the lane itself.
  void End();

 private:
  void Run();

  absl::Mutex mutex_;
  std::deque<std::function<void()>> work_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ltml::base
