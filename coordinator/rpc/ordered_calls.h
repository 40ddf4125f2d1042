#pragma once

#include <deque>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace ltml::coordinator {

// Calls that run one at a time in the order in which they were added, outside every lock: Add under
// the lock that decides the order, Run without it.  Thread-safe.
class OrderedCalls {
 public:
  void Add(std::function<void()> call);
  // Runs what is there, unless another thread does, or one of the calls calls this: then that one
  // goes on until nothing is left.
  void Run();
  // Drops what has not begun, and waits for the call that has; nothing runs afterwards.  Not from
  // within a call.
  void Close();

 private:
  absl::Mutex mutex_;
  std::deque<std::function<void()>> calls_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ltml::coordinator
