#include "worker/collective/by_memory.h"

#include <deque>
#include <utility>

#include "common/base/status_macros.h"

namespace ltml::collective {
namespace {

using std::chrono::nanoseconds;
using train::Buffer;

class ByMemory final : public train::Collective {
 public:
  ByMemory(train::Collective& host, std::unique_ptr<train::Collective> device)
      : host_(host), device_(std::move(device)) {}

  int rank() const override { return host_.rank(); }
  int world_size() const override { return host_.world_size(); }
  Ticket StartAllReduceSum(Buffer buffer) override {
    last_.of(buffer) = Of(buffer).StartAllReduceSum(buffer);
    return Add();
  }
  Ticket StartBroadcast(Buffer buffer, int root) override {
    last_.of(buffer) = Of(buffer).StartBroadcast(buffer, root);
    return Add();
  }
  absl::Status Wait(Ticket ticket, nanoseconds timeout) override {
    const Tickets until = TakeUntil(ticket);
    if (until.device != 0) LTML_RETURN_IF_ERROR(device_->Wait(until.device, timeout));
    return until.host == 0 ? absl::OkStatus() : host_.Wait(until.host, timeout);
  }
  absl::Status Follow(Ticket ticket, nanoseconds timeout) override {
    const Tickets until = ticket < first_ ? Tickets() : started_[ticket - first_];
    if (until.device != 0) LTML_RETURN_IF_ERROR(device_->Follow(until.device, timeout));
    return until.host == 0 ? absl::OkStatus() : host_.Follow(until.host, timeout);
  }

 private:
  // The last operation of each kind; 0: there has been none.
  struct Tickets {
    Ticket host = 0, device = 0;
    Ticket& of(const Buffer& buffer) { return buffer.on_device ? device : host; }
  };

  train::Collective& Of(const Buffer& buffer) { return buffer.on_device ? *device_ : host_; }
  Ticket Add() {
    started_.push_back(last_);
    return first_ + std::ssize(started_) - 1;
  }
  // Forgets the operations before `ticket`, which are over with it.
  Tickets TakeUntil(Ticket ticket) {
    if (ticket < first_) return {};
    started_.erase(started_.begin(), started_.begin() + (ticket - first_));
    first_ = ticket;
    return started_.front();
  }

  train::Collective& host_;
  const std::unique_ptr<train::Collective> device_;
  Tickets last_;
  Ticket first_ = 1;             // of started_.front()
  std::deque<Tickets> started_;  // as they stood after each operation
};

}  // namespace

std::unique_ptr<train::Collective> MakeByMemory(train::Collective& host,
                                                std::unique_ptr<train::Collective> device) {
  return std::make_unique<ByMemory>(host, std::move(device));
}

}  // namespace ltml::collective
