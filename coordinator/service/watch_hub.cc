#include "coordinator/service/watch_hub.h"

#include <thread>

#include "common/base/log.h"

namespace ltml::service {
namespace {

constexpr int kPage = 100;
constexpr std::chrono::seconds kLivePause{1};

using Clock = std::chrono::steady_clock;

}  // namespace

struct WatchHub::Watcher {
  std::string job;
  std::shared_ptr<JobListener> listener;
  // Touched by the lane alone.
  int64_t after = 0;

  absl::Mutex mutex;
  bool posted ABSL_GUARDED_BY(mutex) = false;
  bool events_due ABSL_GUARDED_BY(mutex) = true;
  bool live_due ABSL_GUARDED_BY(mutex) = true;
  Clock::time_point next_live ABSL_GUARDED_BY(mutex) = {};
  bool removed ABSL_GUARDED_BY(mutex) = false;
  bool delivering ABSL_GUARDED_BY(mutex) = false;
  std::thread::id deliverer ABSL_GUARDED_BY(mutex);

  // Around every call of the listener; false once the subscription is gone.
  bool Enter() {
    const absl::MutexLock lock(&mutex);
    if (removed) return false;
    delivering = true;
    deliverer = std::this_thread::get_id();
    return true;
  }
  void Leave() {
    const absl::MutexLock lock(&mutex);
    delivering = false;
  }
};

class WatchHub::Handle : public JobManager::Subscription {
 public:
  Handle(WatchHub& hub, std::shared_ptr<Watcher> watcher)
      : hub_(hub), watcher_(std::move(watcher)) {}
  ~Handle() override { hub_.Remove(watcher_); }

 private:
  WatchHub& hub_;
  std::shared_ptr<Watcher> watcher_;
};

std::unique_ptr<JobManager::Subscription> WatchHub::Watch(const std::string& job, int64_t after,
                                                          std::shared_ptr<JobListener> listener) {
  auto watcher = std::make_shared<Watcher>();
  watcher->job = job;
  watcher->listener = std::move(listener);
  watcher->after = after;
  {
    const absl::MutexLock lock(&mutex_);
    watchers_.emplace(job, watcher);
  }
  Post(watcher);
  return std::make_unique<Handle>(*this, std::move(watcher));
}

void WatchHub::NewEvents(const std::string& job) {
  const absl::MutexLock lock(&mutex_);
  const auto [begin, end] = watchers_.equal_range(job);
  for (auto it = begin; it != end; ++it) {
    {
      const absl::MutexLock watcher_lock(&it->second->mutex);
      it->second->events_due = true;
    }
    Post(it->second);
  }
}

void WatchHub::NewLive(const std::string& job) {
  const absl::MutexLock lock(&mutex_);
  const auto [begin, end] = watchers_.equal_range(job);
  for (auto it = begin; it != end; ++it) {
    const absl::MutexLock watcher_lock(&it->second->mutex);
    it->second->live_due = true;
  }
}

void WatchHub::Tick() {
  const auto now = Clock::now();
  const absl::MutexLock lock(&mutex_);
  for (const auto& [job, watcher] : watchers_) {
    bool due = false;
    {
      const absl::MutexLock watcher_lock(&watcher->mutex);
      due = watcher->events_due || (watcher->live_due && now >= watcher->next_live);
    }
    if (due) Post(watcher);
  }
}

void WatchHub::Post(const std::shared_ptr<Watcher>& watcher) {
  {
    const absl::MutexLock lock(&watcher->mutex);
    if (watcher->posted || watcher->removed) return;
    watcher->posted = true;
  }
  lane_.Post([this, watcher] { Deliver(watcher); });
}

void WatchHub::Deliver(const std::shared_ptr<Watcher>& watcher) {
  bool live = false;
  bool events = false;
  {
    const absl::MutexLock lock(&watcher->mutex);
    watcher->posted = false;
    live = watcher->live_due && Clock::now() >= watcher->next_live;
    if (live) {
      watcher->live_due = false;
      watcher->next_live = Clock::now() + kLivePause;
    }
    events = watcher->events_due;
    watcher->events_due = false;
  }
  if (live) {
    const auto job = source_.job(watcher->job);
    if (job.ok() && watcher->Enter()) {
      watcher->listener->OnJob(*job);
      watcher->Leave();
    }
  }
  if (!events || !DeliverPage(*watcher)) return;
  {
    const absl::MutexLock lock(&watcher->mutex);
    watcher->events_due = true;
  }
  Post(watcher);
}

bool WatchHub::DeliverPage(Watcher& watcher) {
  const auto page = source_.events(watcher.job, watcher.after, kPage);
  if (!page.ok()) {
    base::Log(base::LogLevel::kWarning, "watch_read_failed", "job={} error={}", watcher.job,
              base::LogValue(page.status().ToString()));
    const absl::MutexLock lock(&watcher.mutex);
    // Tick comes back to it.
    watcher.events_due = true;
    return false;
  }
  for (const auto& event : *page) {
    if (!watcher.Enter()) return false;
    watcher.listener->OnEvent(event);
    watcher.Leave();
    watcher.after = event.sequence();
  }
  return static_cast<int>(page->size()) == kPage;
}

void WatchHub::Remove(const std::shared_ptr<Watcher>& watcher) {
  {
    const absl::MutexLock lock(&mutex_);
    const auto [begin, end] = watchers_.equal_range(watcher->job);
    for (auto it = begin; it != end; ++it) {
      if (it->second != watcher) continue;
      watchers_.erase(it);
      break;
    }
  }
  const absl::MutexLock lock(&watcher->mutex);
  watcher->removed = true;
  const auto quiet = [&watcher]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(watcher->mutex) {
    return !watcher->delivering || watcher->deliverer == std::this_thread::get_id();
  };
  watcher->mutex.Await(absl::Condition(&quiet));
}

}  // namespace ltml::service
