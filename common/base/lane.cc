#include "common/base/lane.h"

#include <utility>

namespace ltml::base {

Lane::Lane() : thread_([this] { Run(); }) {}

void Lane::Post(std::function<void()> work) {
  const absl::MutexLock lock(&mutex_);
  if (!ending_) work_.push_back(std::move(work));
}

void Lane::End() {
  {
    const absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Lane::Run() {
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ending_ || !work_.empty();
  };
  while (true) {
    std::function<void()> work;
    {
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&ready));
      if (work_.empty()) return;
      work = std::move(work_.front());
      work_.pop_front();
    }
    work();
  }
}

}  // namespace ltml::base
