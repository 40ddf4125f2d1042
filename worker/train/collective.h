#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"

namespace ltml::train {

enum class ElementType { kFloat32, kFloat64, kInt64 };

// Memory of `count` elements that a collective works on in place.
struct Buffer {
  void* data = nullptr;
  int64_t count = 0;
  ElementType type = ElementType::kFloat32;
  bool on_device = false;  // memory of a GPU
};
inline Buffer BufferOf(std::span<float> v) {
  return {v.data(), static_cast<int64_t>(v.size()), ElementType::kFloat32};
}
inline Buffer BufferOf(std::span<double> v) {
  return {v.data(), static_cast<int64_t>(v.size()), ElementType::kFloat64};
}
inline Buffer BufferOf(std::span<int64_t> v) {
  return {v.data(), static_cast<int64_t>(v.size()), ElementType::kInt64};
}

// Port of the trainer: what all ranks do together.  Every rank calls the same methods with buffers
// of the same size in the same order.  Called from the training thread only; the work may run on a
// thread of the implementation.  Buffers on a GPU are read and written after the work that the
// calling thread has given that GPU before.  A failed or timed-out collective leaves the object
// unusable.
class Collective {
 public:
  // Names a started operation.
  using Ticket = int64_t;

  virtual ~Collective() = default;
  virtual int rank() const = 0;
  virtual int world_size() const = 0;
  // Starts an in-place sum over all ranks.  `buffer` must stay untouched until Wait returns.
  // Operations run one after another in the order of their start.
  virtual Ticket StartAllReduceSum(Buffer buffer) = 0;
  virtual Ticket StartBroadcast(Buffer buffer, int root) = 0;
  // Waits for an operation and all earlier ones.  DeadlineExceeded says what was waited for.
  virtual absl::Status Wait(Ticket ticket, std::chrono::nanoseconds timeout) = 0;
  // Work that the calling thread gives its GPU from now on begins after the operation and all
  // earlier ones.  Does not wait for operations on a GPU, and the same ticket must still be waited
  // for; for all others it is Wait.
  virtual absl::Status Follow(Ticket ticket, std::chrono::nanoseconds timeout) {
    return Wait(ticket, timeout);
  }
  absl::Status AllReduceSum(Buffer buffer, std::chrono::nanoseconds timeout) {
    return Wait(StartAllReduceSum(buffer), timeout);
  }
  absl::Status Broadcast(Buffer buffer, int root, std::chrono::nanoseconds timeout) {
    return Wait(StartBroadcast(buffer, root), timeout);
  }
};

}  // namespace ltml::train
