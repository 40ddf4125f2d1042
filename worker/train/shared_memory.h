#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ltml::train {

// Port of the trainer: memory of all ranks of a job that run on one machine.  Each writes its own
// part and reads those of the others.  For one thread of each rank.
class SharedMemory {
 public:
  virtual ~SharedMemory() = default;
  // The bytes of a rank's part, zero at first, aligned to a page.
  virtual std::byte* part(int rank) = 0;
  // Waits until all ranks have come here as often; each then sees what the others wrote before.
  // DeadlineExceeded names the ranks that did not come; the object is of no more use then.
  virtual absl::Status Barrier(std::chrono::nanoseconds timeout) = 0;
};

// Makes memory with parts of `bytes` each.  All ranks call it together, and all get it or none,
// with the reason: the ranks are on several machines, or one of them has no memory left.
using ShareMemory = std::function<absl::StatusOr<std::unique_ptr<SharedMemory>>(int64_t bytes)>;

}  // namespace ltml::train
