#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/rpc/live_attempt.h"

namespace ltml::coordinator {

// The attempts of one gateway by job, with one thread that sends the keep-alives of all of them and
// has their journals tried again every second.  Thread-safe.
class AttemptRegistry {
 public:
  // `tick` is called on the thread at least every second.
  explicit AttemptRegistry(std::function<void()> tick);
  ~AttemptRegistry();

  // AlreadyExists names the job and the epoch that it has.
  absl::Status Add(const std::shared_ptr<LiveAttempt>& attempt);
  void Remove(const std::string& job_id);
  std::shared_ptr<LiveAttempt> Find(const std::string& job_id) const;
  std::vector<std::shared_ptr<LiveAttempt>> All() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::shared_ptr<LiveAttempt> attempt;  // shared with its owner and its streams
    std::chrono::nanoseconds pause{};
    Clock::time_point due;
  };
  void Loop();
  // Those that are due, and when the next one is.
  std::vector<std::shared_ptr<LiveAttempt>> TakeDue(Clock::time_point now, Clock::time_point* next);
  bool AwaitEnd(Clock::time_point next);

  const std::function<void()> tick_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool changed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ltml::coordinator
