#pragma once

#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <string>
#include <utility>
#include <vector>

namespace ltml::train {

// Queues of a device that is not there (at::kPrivateUse1): work is a list of texts for each stream,
// and the device is done with what a test lets it finish.
class FakeDevice final : public c10::impl::DeviceGuardImplInterface {
 public:
  static constexpr c10::DeviceType kType = c10::DeviceType::PrivateUse1;

  // One in the process, registered on the first call.
  static FakeDevice& Get() {
    static auto* const fake = [] {
      auto* made = new FakeDevice();
      c10::impl::registerDeviceGuard(kType, made);
      return made;
    }();
    return *fake;
  }
  static c10::Device device() { return {kType, 0}; }
  static c10::Stream StreamNumber(int64_t id) {
    return c10::Stream(c10::Stream::UNSAFE, device(), id);
  }

  void Clear() {
    log.clear();
    queries_until_done = 0;
    failed = false;
    current_ = 0;
  }

  mutable std::vector<std::string> log;  // "record 0", "block 1", "query"
  mutable int queries_until_done = 0;
  bool failed = false;

  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device) const override { return device(); }
  c10::Device getDevice() const override { return device(); }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  c10::Stream getStream(c10::Device) const override { return StreamNumber(current_); }
  c10::Stream getStreamFromGlobalPool(c10::Device, bool) const override { return StreamNumber(7); }
  c10::Stream exchangeStream(c10::Stream stream) const override {
    return StreamNumber(std::exchange(current_, stream.id()));
  }
  void record(void** event, const c10::Stream& stream, c10::DeviceIndex,
              c10::EventFlag) const override {
    if (*event == nullptr) *event = new char();
    log.push_back("record " + std::to_string(stream.id()));
  }
  void block(void*, const c10::Stream& stream) const override {
    log.push_back("block " + std::to_string(stream.id()));
  }
  bool queryEvent(void*) const override {
    TORCH_CHECK(!failed, "the device has failed");
    log.emplace_back("query");
    return queries_until_done-- <= 0;
  }
  void destroyEvent(void* event, c10::DeviceIndex) const noexcept override {
    delete static_cast<char*>(event);
  }
  double elapsedTime(void*, void*, c10::DeviceIndex) const override { return 1.5; }

 private:
  mutable c10::StreamId current_ = 0;
};

}  // namespace ltml::train
