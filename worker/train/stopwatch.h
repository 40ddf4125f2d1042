#pragma once

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>

namespace ltml::train {

// How long a device stands still: from the end of the work that it has been given when this is made
// until Elapsed.  On the processor, which has no queue of work, that is the time between the two.
class Stopwatch {
 public:
  explicit Stopwatch(at::Device device)
      : device_(device), begin_event_(device.type(), c10::EventFlag::BACKEND_DEFAULT) {
    if (!device_.is_cpu()) begin_event_.record(CurrentStream());
  }

  // When all work of the device has been waited for.
  std::chrono::nanoseconds Elapsed() const {
    if (device_.is_cpu()) return Clock::now() - begin_;
    c10::Event end(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
    end.record(CurrentStream());
    end.synchronize();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double, std::milli>(begin_event_.elapsedTime(end)));
  }

 private:
  using Clock = std::chrono::steady_clock;

  c10::Stream CurrentStream() const {
    return c10::impl::VirtualGuardImpl(device_.type()).getStream(device_);
  }

  const at::Device device_;
  const Clock::time_point begin_ = Clock::now();
  c10::Event begin_event_;
};

}  // namespace ltml::train
