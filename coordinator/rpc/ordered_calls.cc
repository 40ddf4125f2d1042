#include "coordinator/rpc/ordered_calls.h"

#include <utility>

namespace ltml::coordinator {

void OrderedCalls::Add(std::function<void()> call) {
  absl::MutexLock lock(&mutex_);
  if (!closed_) calls_.push_back(std::move(call));
}

void OrderedCalls::Run() {
  while (true) {
    std::function<void()> call;
    {
      absl::MutexLock lock(&mutex_);
      if (running_ || calls_.empty()) return;
      running_ = true;
      call = std::move(calls_.front());
      calls_.pop_front();
    }
    call();
    call = nullptr;
    absl::MutexLock lock(&mutex_);
    running_ = false;
  }
}

void OrderedCalls::Close() {
  std::deque<std::function<void()>> dropped;
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  dropped.swap(calls_);
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !running_; };
  mutex_.Await(absl::Condition(&idle));
}

}  // namespace ltml::coordinator
