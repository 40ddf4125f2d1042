#pragma once

#include <chrono>

#include "worker/train/device_mark.h"

namespace ltml::train {

// How long a device stands still: from the end of the work that it has been given when this is made
// until it gets to what it is given after Stop.  On the processor, which has no queue of work, that
// is the time between the two.
class Stopwatch {
 public:
  explicit Stopwatch(c10::Device device)
      : device_(device),
        begin_mark_(device, DeviceMark::Timing::kOn),
        end_mark_(device, DeviceMark::Timing::kOn) {
    begin_mark_.Set();
  }

  void Stop() {
    end_mark_.Set();
    end_ = Clock::now();
  }
  // After Stop, when later work of the device has been waited for.
  std::chrono::nanoseconds Elapsed() const {
    return device_.is_cpu() ? end_ - begin_ : end_mark_.Since(begin_mark_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  const c10::Device device_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point end_ = begin_;
  DeviceMark begin_mark_, end_mark_;
};

}  // namespace ltml::train
