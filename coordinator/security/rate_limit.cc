#include "coordinator/security/rate_limit.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/rpc/details.h"

namespace ltml::security {

using Seconds = std::chrono::duration<double>;

RateLimit::RateLimit(double requests_per_second, int streams_per_user)
    : rate_(requests_per_second), streams_(streams_per_user) {}

absl::Status RateLimit::Take(const std::string& user, Time now) {
  const absl::MutexLock lock(&mutex_);
  const double full = std::max(2 * rate_, 1.0);
  const auto [entry, added] = buckets_.try_emplace(user);
  Bucket& bucket = entry->second;
  if (bucket.filled == Time{}) bucket.tokens = full;
  const Time since = bucket.filled == Time{} ? now : bucket.filled;
  bucket.tokens =
      std::min(full, bucket.tokens + rate_ * std::max(Seconds(now - since).count(), 0.0));
  bucket.filled = std::max(now, since);
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return absl::OkStatus();
  }
  const auto wait =
      std::chrono::ceil<std::chrono::nanoseconds>(Seconds((1 - bucket.tokens) / rate_));
  return rpc::WithRetryAfter(
      rpc::WithErrorInfo(absl::ResourceExhaustedError(fmt::format(
                             "user '{}' asks for more than {:g} requests a second; try again in "
                             "{:.3g} s, or have limits.requests_per_second raised",
                             user, rate_, Seconds(wait).count())),
                         "RATE_LIMIT"),
      wait);
}

absl::Status RateLimit::OpenStream(const std::string& user) {
  const absl::MutexLock lock(&mutex_);
  Bucket& bucket = buckets_[user];
  if (bucket.streams < streams_) {
    ++bucket.streams;
    return absl::OkStatus();
  }
  return rpc::WithErrorInfo(
      absl::ResourceExhaustedError(fmt::format(
          "user '{}' has {} streams open already, the most that limits.streams_per_user allows; "
          "close one first",
          user, streams_)),
      "STREAM_LIMIT");
}

void RateLimit::CloseStream(const std::string& user) {
  const absl::MutexLock lock(&mutex_);
  const auto entry = buckets_.find(user);
  if (entry != buckets_.end() && entry->second.streams > 0) --entry->second.streams;
}

}  // namespace ltml::security
