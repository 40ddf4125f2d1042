#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/status/status.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::coordinator {

// Commands for rank 0, kept until it says that it has taken them in.  Their numbers begin after
// what the rank had from an earlier server, so none is given until its first hello.  Not
// thread-safe.
class CommandQueue {
 public:
  void Add(v1::Command::Kind kind);
  // Rank 0 has come, or come again, and has taken in everything up to `last_id`.
  // FailedPrecondition for a number that was never given.
  absl::Status OnHello(int64_t last_id);
  // The same of its progress.
  absl::Status Acknowledge(int64_t last_id);
  // What is to be sent, in order; nothing before the first hello.
  std::vector<v1::Command> Pending() const;

 private:
  bool greeted_ = false;
  int64_t next_id_ = 1;
  std::deque<v1::Command> commands_;
};

}  // namespace ltml::coordinator
