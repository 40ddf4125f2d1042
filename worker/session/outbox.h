#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "ltml/v1/worker_service.pb.h"

namespace ltml::session {

// What a rank has to write, in order, and what it must write again on a new connection: sums of
// windows until they are acknowledged, and the last kKept other messages, since nothing tells which
// of them arrived (the coordinator drops repeats).  Progress without metrics is not repeated.  Not
// thread-safe.
class Outbox {
 public:
  static constexpr size_t kKept = 64;

  void Push(v1::WorkerMessage message);
  // Sums of a window, kept until Acknowledge.
  void PushReport(v1::WorkerMessage message);
  // The coordinator holds the sums of all windows up to this one.
  void Acknowledge(int64_t window);
  // A new connection: `hello`, then all that may not have arrived, then what was never written.
  void Restart(v1::WorkerMessage hello);
  // The next message to write.
  std::optional<v1::WorkerMessage> Pop();
  bool empty() const { return queue_.empty(); }
  size_t unacknowledged_reports() const { return reports_.size(); }

 private:
  std::deque<v1::WorkerMessage> queue_;
  std::deque<v1::WorkerMessage> written_;
  std::map<int64_t, v1::WorkerMessage> reports_;
};

}  // namespace ltml::session
