#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace ltml::coordinator {

// An open stream to a client.
class PumpedStream {
 public:
  virtual ~PumpedStream() = default;
  // Goes on if it can.  Any thread, any number of times.
  virtual void Advance() = 0;
  // Ends the stream with `status` after the message that is being written.
  virtual void End(const absl::Status& status) = 0;
  // Wants an Advance at every tick.
  virtual bool polls() const = 0;
};

// Knows the open streams and drives them from one thread: those that were woken at once, those that
// poll at every tick.  Thread-safe.
class StreamPump {
 public:
  using Stream = std::shared_ptr<PumpedStream>;
  explicit StreamPump(std::chrono::milliseconds tick);
  ~StreamPump();  // streams must have been closed

  // Unavailable once EndAll was called.
  absl::Status Open(const Stream& stream);
  void Close(const Stream& stream);
  void Wake(const Stream& stream);
  // Ends all streams with UNAVAILABLE, and lets no new ones in.
  void EndAll();

 private:
  void Loop();
  std::vector<Stream> AwaitWork();

  const std::chrono::milliseconds tick_;
  absl::Mutex mutex_;
  std::set<Stream> open_ ABSL_GUARDED_BY(mutex_);
  std::set<Stream> polling_ ABSL_GUARDED_BY(mutex_);
  std::vector<Stream> woken_ ABSL_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point next_tick_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ltml::coordinator
