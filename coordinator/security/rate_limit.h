#pragma once

#include <chrono>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace ltml::security {

// Bounds what one user may ask for: a bucket of 2 x rate tokens a user, filled at `rate` a second,
// one token a request; and a number of open streams.  Time comes in as an argument.  Thread-safe.
// Memory: one entry per user who has ever asked; users are those of the configuration.
class RateLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;
  RateLimit(double requests_per_second, int streams_per_user);

  // ResourceExhausted with ErrorInfo RATE_LIMIT and the RetryInfo after which a token is there.
  absl::Status Take(const std::string& user, Time now);
  // ResourceExhausted with ErrorInfo STREAM_LIMIT.  Each success needs one CloseStream.
  absl::Status OpenStream(const std::string& user);
  void CloseStream(const std::string& user);

 private:
  struct Bucket {
    double tokens = 0;
    Time filled{};
    int streams = 0;
  };
  const double rate_;
  const int streams_;
  absl::Mutex mutex_;
  std::map<std::string, Bucket> buckets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ltml::security
