#include "coordinator/jobs/timed_store.h"

#include <chrono>
#include <utility>

namespace ltml::jobs {

using Clock = std::chrono::steady_clock;

TimedStore::Measured TimedStore::measured() const {
  const absl::MutexLock lock(&mutex_);
  return measured_;
}

void TimedStore::Commit(Change change, Done done) {
  const auto measure = [this, begin = Clock::now(),
                        done = std::move(done)](const absl::Status& status) {
    {
      const std::chrono::duration<double> took = Clock::now() - begin;
      const absl::MutexLock lock(&mutex_);
      measured_.commits.Add(took.count());
      measured_.errors += status.ok() ? 0 : 1;
    }
    if (done) done(status);
  };
  store_.Commit(std::move(change), measure);
}

}  // namespace ltml::jobs
