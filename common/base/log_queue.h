#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace ltml::base {

// Lines that a thread of its own writes, in order.  Where they come faster than `write` takes them
// and `most` wait, the oldest that waits is dropped.  Thread-safe.
class LogQueue {
 public:
  // `write` may block for any time; false: the line is lost.
  LogQueue(std::function<bool(const std::string&)> write, size_t most);
  // Writes what waits, for at most a second; a write that still blocks then is left behind.
  ~LogQueue();

  // Never blocks.
  void Push(std::string line);
  // False when lines are still waiting after `limit`.
  bool Flush(std::chrono::nanoseconds limit);
  int64_t dropped() const;

 private:
  // Shared with the thread, which may outlive this object inside a write that blocks.
  struct State {
    std::function<bool(const std::string&)> write;
    mutable absl::Mutex mutex;
    std::deque<std::string> lines ABSL_GUARDED_BY(mutex);
    bool writing ABSL_GUARDED_BY(mutex) = false;
    bool ending ABSL_GUARDED_BY(mutex) = false;
    bool ended ABSL_GUARDED_BY(mutex) = false;
    int64_t dropped ABSL_GUARDED_BY(mutex) = 0;
  };
  static void Run(const std::shared_ptr<State>& state);

  const size_t most_;
  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace ltml::base
