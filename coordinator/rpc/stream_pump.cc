#include "coordinator/rpc/stream_pump.h"

#include <utility>

#include "absl/time/time.h"
#include "common/rpc/details.h"

namespace ltml::coordinator {
namespace {

constexpr std::chrono::seconds kComeBackAfter{1};

absl::Status ServerEnds() {
  return rpc::WithRetryAfter(absl::UnavailableError("the server ends; ask again"), kComeBackAfter);
}

}  // namespace

StreamPump::StreamPump(std::chrono::milliseconds tick)
    : tick_(tick),
      next_tick_(std::chrono::steady_clock::now() + tick),
      thread_([this] { Loop(); }) {}

StreamPump::~StreamPump() {
  {
    const absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
}

absl::Status StreamPump::Open(const Stream& stream) {
  const absl::MutexLock lock(&mutex_);
  if (closed_) return ServerEnds();
  open_.insert(stream);
  if (stream->polls()) polling_.insert(stream);
  return absl::OkStatus();
}

void StreamPump::Close(const Stream& stream) {
  const absl::MutexLock lock(&mutex_);
  open_.erase(stream);
  polling_.erase(stream);
}

void StreamPump::Wake(const Stream& stream) {
  const absl::MutexLock lock(&mutex_);
  woken_.push_back(stream);
}

void StreamPump::EndAll() {
  std::set<Stream> streams;
  {
    const absl::MutexLock lock(&mutex_);
    closed_ = true;
    streams = open_;
  }
  for (const Stream& stream : streams) stream->End(ServerEnds());
}

std::vector<StreamPump::Stream> StreamPump::AwaitWork() {
  const absl::MutexLock lock(&mutex_);
  const auto wanted = [this]()
                          ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return ending_ || !woken_.empty(); };
  const auto left = next_tick_ - std::chrono::steady_clock::now();
  mutex_.AwaitWithTimeout(absl::Condition(&wanted), absl::FromChrono(left));
  std::vector<Stream> work = std::exchange(woken_, {});
  if (const auto now = std::chrono::steady_clock::now(); now >= next_tick_) {
    next_tick_ = now + tick_;
    work.insert(work.end(), polling_.begin(), polling_.end());
  }
  return work;
}

void StreamPump::Loop() {
  while (true) {
    for (const Stream& stream : AwaitWork()) stream->Advance();
    const absl::MutexLock lock(&mutex_);
    if (ending_) return;
  }
}

}  // namespace ltml::coordinator
