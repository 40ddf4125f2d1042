#include "worker/data/prefetcher.h"

#include <exception>
#include <system_error>
#include <utility>

#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "fmt/format.h"

namespace ltml::data {
namespace {

// A loader thread has nobody to catch what it throws: a failed allocation is its item's error.
template <typename Body>
absl::Status WithoutExceptions(Body&& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    return absl::ResourceExhaustedError(
        fmt::format("cannot make a batch: {}; lower data.loader_threads or streams.global_batch",
                    error.what()));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Prefetcher>> Prefetcher::Create(int threads, int slots,
                                                               Maker& maker) {
  std::unique_ptr<Prefetcher> prefetcher(new Prefetcher(slots, maker));
  LTML_RETURN_IF_ERROR(prefetcher->StartThreads(threads));
  return prefetcher;
}

absl::Status Prefetcher::StartThreads(int threads) {
  for (int i = 0; i < threads; ++i) {
    try {
      threads_.emplace_back([this, i] { Run(i); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(
          fmt::format("cannot start loader thread {} of {}: {}; lower data.loader_threads or raise "
                      "the limit of processes (ulimit -u)",
                      i + 1, threads, error.what()));
    }
  }
  return absl::OkStatus();
}

Prefetcher::~Prefetcher() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status Prefetcher::Start(const Sequence& sequence, std::chrono::nanoseconds timeout) {
  absl::MutexLock lock(&mutex_);
  sequence_ = kNone;
  opened_ = reading_ = expected_ = 0;
  const auto idle = [this] {
    mutex_.AssertHeld();
    return running_ == 0;
  };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&idle), absl::FromChrono(timeout))) {
    return absl::DeadlineExceededError(
        fmt::format("{} images of earlier batches were still being made after {:.1f} s", running_,
                    std::chrono::duration<double>(timeout).count()));
  }
  sequence_ = sequence;
  return absl::OkStatus();
}

int64_t Prefetcher::expected() const {
  absl::MutexLock lock(&mutex_);
  return NumberOf(expected_);
}

absl::StatusOr<int> Prefetcher::Next(int64_t number, std::chrono::nanoseconds timeout) {
  absl::MutexLock lock(&mutex_);
  const int64_t index = expected_;
  if (number != NumberOf(index) || number >= sequence_.end) {
    return absl::InvalidArgumentError(fmt::format("batch {} was asked for, expected {} below {}",
                                                  number, NumberOf(index), sequence_.end));
  }
  reading_ = index;
  const auto ready = [this, index] {
    mutex_.AssertHeld();
    return IsReady(index);
  };
  const Batch& batch = batches_[SlotOf(index)];
  if (!mutex_.AwaitWithTimeout(absl::Condition(&ready), absl::FromChrono(timeout))) {
    return absl::DeadlineExceededError(fmt::format(
        "batch {} was not ready after {:.1f} s: {} of {} images made; raise data.loader_threads or "
        "the limit",
        number, std::chrono::duration<double>(timeout).count(), opened_ > index ? batch.done : 0,
        opened_ > index ? batch.items : 0));
  }
  LTML_RETURN_IF_ERROR(batch.error);
  ++expected_;
  return SlotOf(index);
}

void Prefetcher::Run(int thread) {
  const auto awake = [this] {
    mutex_.AssertHeld();
    return stopping_ || CanHand() || CanOpen();
  };
  mutex_.Lock();
  while (true) {
    mutex_.Await(absl::Condition(&awake));
    if (stopping_) break;
    const std::optional<Item> item = Take();
    if (!item) continue;
    ++running_;
    mutex_.Unlock();
    absl::Status status =
        WithoutExceptions([&] { return maker_.Work(item->slot, item->item, thread); });
    mutex_.Lock();
    --running_;
    Finish(*item, std::move(status));
  }
  mutex_.Unlock();
}

int64_t Prefetcher::NumberOf(int64_t index) const {
  return sequence_.first + index * sequence_.stride;
}

bool Prefetcher::CanHand() const {
  if (opened_ == 0) return false;
  const Batch& batch = batches_[SlotOf(opened_ - 1)];
  return batch.handed < batch.items;
}

bool Prefetcher::CanOpen() const {
  return NumberOf(opened_) < sequence_.end && opened_ - reading_ < std::ssize(batches_);
}

bool Prefetcher::IsReady(int64_t index) const {
  const Batch& batch = batches_[SlotOf(index)];
  return opened_ > index && batch.done == batch.items;
}

std::optional<Prefetcher::Item> Prefetcher::Take() {
  if (!CanHand()) Open();
  if (!CanHand()) return std::nullopt;
  const int slot = SlotOf(opened_ - 1);
  return Item{slot, batches_[slot].handed++};
}

void Prefetcher::Open() {
  const int slot = SlotOf(opened_);
  Batch& batch = batches_[slot];
  batch = Batch();
  // A batch that cannot be planned has no items and is ready with its error.
  batch.error = WithoutExceptions([&] {
    batch.items = maker_.Plan(NumberOf(opened_), slot);
    return absl::OkStatus();
  });
  ++opened_;
}

void Prefetcher::Finish(const Item& item, absl::Status status) {
  Batch& batch = batches_[item.slot];
  ++batch.done;
  if (status.ok() || (!batch.error.ok() && batch.error_item < item.item)) return;
  batch.error = std::move(status);
  batch.error_item = item.item;
}

}  // namespace ltml::data
