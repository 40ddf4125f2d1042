#include "worker/train/device_mark.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include "common/base/backoff.h"

namespace ltml::train {
namespace {

// The device stands still from the mark until it gets more work.
constexpr std::chrono::microseconds kLongestNap{50};

}  // namespace

DeviceMark::DeviceMark(c10::Device device, Timing timing)
    : device_(device),
      event_(device.type(), timing == Timing::kOn ? c10::EventFlag::BACKEND_DEFAULT
                                                  : c10::EventFlag::PYTORCH_DEFAULT) {}

c10::Stream DeviceMark::CurrentStream() const {
  return c10::impl::VirtualGuardImpl(device_.type()).getStream(device_);
}

void DeviceMark::Set(const c10::Stream& stream) {
  if (!device_.is_cpu()) event_.record(stream);
}

void DeviceMark::HoldBack(const c10::Stream& stream) const {
  if (!device_.is_cpu()) event_.block(stream);
}

absl::Status DeviceMark::Await(std::string_view what, std::chrono::nanoseconds limit) const {
  using Clock = std::chrono::steady_clock;
  if (device_.is_cpu()) return absl::OkStatus();
  const Clock::time_point end = Clock::now() + limit;
  for (base::Backoff backoff(kLongestNap); !event_.query(); backoff.Pause()) {
    if (Clock::now() < end) continue;
    return absl::DeadlineExceededError(fmt::format(
        "device {} was not done with {} within {:.1f} s: it is busy with other work, or hangs",
        device_.str(), what, std::chrono::duration<double>(limit).count()));
  }
  return absl::OkStatus();
}

std::chrono::nanoseconds DeviceMark::Since(const DeviceMark& earlier) const {
  if (device_.is_cpu()) return {};
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double, std::milli>(earlier.event_.elapsedTime(event_)));
}

absl::Status AwaitDevice(c10::Device device, std::string_view what,
                         std::chrono::nanoseconds limit) {
  DeviceMark mark(device);
  mark.Set();
  return mark.Await(what, limit);
}

}  // namespace ltml::train
