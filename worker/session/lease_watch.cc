#include "worker/session/lease_watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "common/base/log.h"
#include "worker/session/session.h"

namespace ltml::session {
namespace {

// absl waits on the system clock, which may jump: short waits keep the steady clock in charge.
constexpr std::chrono::nanoseconds kLongestWait = std::chrono::milliseconds(500);
constexpr std::chrono::nanoseconds kFlushLimit = std::chrono::milliseconds(500);

absl::Duration WaitOf(std::chrono::nanoseconds left) {
  return absl::FromChrono(std::min(left, kLongestWait));
}

}  // namespace

LeaseWatch::LeaseWatch(std::chrono::nanoseconds lease, std::chrono::nanoseconds grace,
                       std::function<void(const std::string&)> over)
    : lease_(lease), grace_(grace), over_(std::move(over)), renewed_(Clock::now()) {
  thread_ = std::thread([this] {
    if (!AwaitEnd()) return;
    std::string reason;
    {
      absl::MutexLock lock(&mutex_);
      reason = reason_;
    }
    over_(reason);
    AwaitDestruction();
  });
}

LeaseWatch::~LeaseWatch() {
  {
    absl::MutexLock lock(&mutex_);
    destroyed_ = changed_ = true;
  }
  thread_.join();
}

void LeaseWatch::Renew() { renewed_.store(Clock::now()); }

void LeaseWatch::End(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (!reason_.empty() || rests_) return;
  reason_ = reason;
  changed_ = true;
}

void LeaseWatch::Rest() {
  absl::MutexLock lock(&mutex_);
  rests_ = changed_ = true;
}

bool LeaseWatch::AwaitEnd() {
  absl::MutexLock lock(&mutex_);
  while (!changed_) {
    const auto left = renewed_.load() + lease_ - Clock::now();
    if (left <= std::chrono::nanoseconds(0)) {
      reason_ = fmt::format("heard nothing from the coordinator for limits.lease = {:.3g} s",
                            std::chrono::duration<double>(lease_).count());
      return true;
    }
    mutex_.AwaitWithTimeout(absl::Condition(&changed_), WaitOf(left));
  }
  return !reason_.empty() && !destroyed_;
}

void LeaseWatch::AwaitDestruction() {
  const auto end = Clock::now() + grace_;
  absl::MutexLock lock(&mutex_);
  while (!destroyed_) {
    const auto left = end - Clock::now();
    if (left <= std::chrono::nanoseconds(0)) {
      base::Log(base::LogLevel::kError, "rank_fenced", "reason={} exit_status={}",
                base::LogValue(reason_), kFencedExitStatus);
      base::FlushLog(kFlushLimit);
      _exit(kFencedExitStatus);
    }
    mutex_.AwaitWithTimeout(absl::Condition(&destroyed_), WaitOf(left));
  }
}

}  // namespace ltml::session
