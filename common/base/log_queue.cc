#include "common/base/log_queue.h"

#include <utility>

#include "absl/time/time.h"

namespace ltml::base {
namespace {

constexpr absl::Duration kEndLimit = absl::Seconds(1);

}  // namespace

LogQueue::LogQueue(std::function<bool(const std::string&)> write, size_t most)
    : most_(most), state_(std::make_shared<State>()) {
  state_->write = std::move(write);
  thread_ = std::thread([state = state_] { Run(state); });
}

LogQueue::~LogQueue() {
  bool ended = false;
  {
    State& state = *state_;
    const absl::MutexLock lock(&state.mutex);
    state.ending = true;
    ended = state.mutex.AwaitWithTimeout(absl::Condition(&state.ended), kEndLimit);
  }
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void LogQueue::Push(std::string line) {
  State& state = *state_;
  const absl::MutexLock lock(&state.mutex);
  if (state.lines.size() >= most_) {
    state.lines.pop_front();
    ++state.dropped;
  }
  state.lines.push_back(std::move(line));
}

bool LogQueue::Flush(std::chrono::nanoseconds limit) {
  State& state = *state_;
  const absl::MutexLock lock(&state.mutex);
  const auto done = [&state]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
    return state.lines.empty() && !state.writing;
  };
  return state.mutex.AwaitWithTimeout(absl::Condition(&done), absl::FromChrono(limit));
}

int64_t LogQueue::dropped() const {
  const absl::MutexLock lock(&state_->mutex);
  return state_->dropped;
}

void LogQueue::Run(const std::shared_ptr<State>& shared) {
  State& state = *shared;
  const auto work = [&state]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
    return state.ending || !state.lines.empty();
  };
  while (true) {
    std::string line;
    {
      const absl::MutexLock lock(&state.mutex);
      state.mutex.Await(absl::Condition(&work));
      if (state.lines.empty()) {
        state.ended = true;
        return;
      }
      line = std::move(state.lines.front());
      state.lines.pop_front();
      state.writing = true;
    }
    const bool written = state.write(line);
    const absl::MutexLock lock(&state.mutex);
    state.writing = false;
    if (!written) ++state.dropped;
  }
}

}  // namespace ltml::base
