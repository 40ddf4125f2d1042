#pragma once

#include <c10/core/Event.h>

#include <chrono>
#include <string_view>

#include "absl/status/status.h"

namespace ltml::train {

// A place in the work that a thread has given a device, and the one way in which this room waits
// for a device: with a deadline.  A processor's work is done when the call returns, so there
// nothing is ever waited for.  Not thread-safe.
//
//   DeviceMark copied(device);
//   host.copy_(on_device, /*non_blocking=*/true);
//   copied.Set();
//   ...                                                        // more work for the device
//   LTML_RETURN_IF_ERROR(copied.Await("the copy", limit));     // `host` may be read now
class DeviceMark {
 public:
  enum class Timing { kOff, kOn };
  explicit DeviceMark(c10::Device device, Timing timing = Timing::kOff);

  // Behind all that the thread's current stream holds, or that `stream` holds; the latest place
  // counts.
  void Set() { Set(CurrentStream()); }
  void Set(const c10::Stream& stream);
  // Work that the thread's current stream, or `stream`, gets from now on begins after the mark.
  void HoldBack() const { HoldBack(CurrentStream()); }
  void HoldBack(const c10::Stream& stream) const;
  // Until the device is past the mark.  DeadlineExceeded names the device and `what`.  A mark that
  // was never set is passed.  Throws c10::Error when the device has failed.
  absl::Status Await(std::string_view what, std::chrono::nanoseconds limit) const;
  // The device's time from `earlier` to here; it is past both, and both have timing.  0 on a
  // processor.
  std::chrono::nanoseconds Since(const DeviceMark& earlier) const;

  c10::Stream CurrentStream() const;

 private:
  const c10::Device device_;
  c10::Event event_;
};

// Until `device` has done all that this thread's current stream holds.
absl::Status AwaitDevice(c10::Device device, std::string_view what, std::chrono::nanoseconds limit);

}  // namespace ltml::train
