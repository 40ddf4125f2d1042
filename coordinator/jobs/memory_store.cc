#include "coordinator/jobs/memory_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <tuple>

#include "absl/synchronization/mutex.h"
#include "common/base/proto_time.h"
#include "coordinator/jobs/job_query.h"
#include "coordinator/jobs/transition.h"

namespace ltml::jobs {
namespace {

using AttemptKey = std::pair<std::string, int64_t>;

bool Matches(const v1::Job& job, const v1::ListJobsRequest& query) {
  const auto& states = query.states();
  return (states.empty() || std::ranges::find(states, job.state()) != states.end()) &&
         (query.owner().empty() || query.owner() == job.owner()) &&
         (query.job_name().empty() || query.job_name() == job.spec().name());
}

bool IsOldWindow(const v1::JournalEntry& entry, int64_t newest) {
  return entry.has_window() && entry.window().window() < newest - 2;
}

struct Tables {
  std::map<int64_t, v1::Job> jobs;  // by place in the order of submission
  std::map<std::string, int64_t> places;
  std::map<AttemptKey, v1::AttemptRecord> attempts;
  std::map<std::string, std::vector<v1::JobEvent>> events;
  std::map<std::pair<std::string, std::string>, v1::SubmitRecord> submits;
  std::map<std::string, v1::HostRecord> hosts;
  std::map<AttemptKey, std::vector<v1::JournalEntry>> journal;
  int64_t last_event = 0;

  void Apply(const Change& change);
  void AddJournal(const Change::Journal& added);
  absl::StatusOr<v1::Job> Job(const std::string& name) const;
};

void Tables::AddJournal(const Change::Journal& added) {
  auto& entries = journal[{added.job, added.epoch}];
  entries.push_back(added.entry);
  if (!added.entry.has_window()) return;
  std::erase_if(entries, [&](const auto& entry) {
    return IsOldWindow(entry, added.entry.window().window());
  });
}

void Tables::Apply(const Change& change) {
  for (const auto& job : change.jobs) {
    const auto [place, added] = places.try_emplace(job.name(), static_cast<int64_t>(jobs.size()));
    jobs[place->second] = job;
  }
  for (const auto& record : change.attempts) {
    attempts[{record.job(), record.attempt().epoch()}] = record;
  }
  for (const auto& event : change.events) {
    events[event.job()].push_back(event);
    last_event = std::max(last_event, event.sequence());
  }
  if (change.submit) {
    submits[{change.submit->owner(), change.submit->request_id()}] = *change.submit;
  }
  for (const auto& host : change.hosts) hosts[host.name()] = host;
  for (const auto& added : change.journal) AddJournal(added);
  for (const auto& attempt : change.ended_attempts) journal.erase(attempt);
}

absl::StatusOr<v1::Job> Tables::Job(const std::string& name) const {
  const auto place = places.find(name);
  if (place == places.end()) return absl::NotFoundError(fmt::format("there is no {}", name));
  return jobs.at(place->second);
}

}  // namespace

class MemoryStore::Impl {
 public:
  Impl() : thread_([this] { CallBack(); }) {}
  ~Impl() {
    {
      const absl::MutexLock lock(&mutex_);
      ending_ = true;
    }
    thread_.join();
  }

  void Commit(const Change& change, Done done) {
    const absl::MutexLock lock(&mutex_);
    absl::Status status;
    if (refuse_) {
      status = absl::UnavailableError("the store takes nothing now: no space left on device");
    } else {
      tables_.Apply(change);
    }
    waiting_.emplace_back(std::move(done), std::move(status));
  }

  absl::Mutex& mutex() ABSL_LOCK_RETURNED(mutex_) { return mutex_; }
  const Tables& tables() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return tables_; }

  void Refuse(bool refuse) {
    const absl::MutexLock lock(&mutex_);
    refuse_ = refuse;
  }

 private:
  void CallBack() {
    while (true) {
      std::deque<std::pair<Done, absl::Status>> batch;
      {
        const absl::MutexLock lock(&mutex_);
        const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
          return ending_ || !waiting_.empty();
        };
        mutex_.Await(absl::Condition(&ready));
        if (waiting_.empty()) return;
        batch.swap(waiting_);
      }
      for (auto& [done, status] : batch) {
        if (done) done(status);
      }
    }
  }

  absl::Mutex mutex_;
  Tables tables_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::pair<Done, absl::Status>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool refuse_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

MemoryStore::MemoryStore() : impl_(std::make_unique<Impl>()) {}
MemoryStore::~MemoryStore() = default;

void MemoryStore::Commit(Change change, Done done) { impl_->Commit(change, std::move(done)); }
void MemoryStore::Refuse(bool refuse) { impl_->Refuse(refuse); }

absl::StatusOr<Snapshot> MemoryStore::Load() {
  const absl::MutexLock lock(&impl_->mutex());
  const Tables& tables = impl_->tables();
  Snapshot result;
  for (const auto& [place, job] : tables.jobs) {
    if (IsTerminal(job.state())) {
      ++result.ended_jobs[StateName(job.state())];
      continue;
    }
    result.jobs.push_back(job);
    const auto end = tables.attempts.upper_bound({job.name(), INT64_MAX});
    if (end == tables.attempts.begin()) continue;
    const auto newest = std::prev(end);
    if (newest->first.first == job.name()) result.attempts.push_back(newest->second);
  }
  for (const auto& [name, host] : tables.hosts) result.hosts.push_back(host);
  result.last_event = tables.last_event;
  return result;
}

absl::StatusOr<v1::Job> MemoryStore::Job(const std::string& name) {
  const absl::MutexLock lock(&impl_->mutex());
  return impl_->tables().Job(name);
}

absl::StatusOr<JobPage> MemoryStore::List(const v1::ListJobsRequest& query) {
  auto place = PlaceOf(query);
  if (!place.ok()) return place.status();
  const bool oldest_first = OldestFirst(query);
  const int size = PageSize(query);
  const absl::MutexLock lock(&impl_->mutex());
  const Tables& tables = impl_->tables();
  JobPage page;
  int64_t last = 0;
  // True when the page is full and a job is left over.
  const auto add = [&](int64_t number, const v1::Job& job) {
    const bool seen = *place && (oldest_first ? number <= **place : number >= **place);
    if (seen || !Matches(job, query)) return false;
    if (static_cast<int>(page.jobs.size()) == size) {
      page.next_page_token = TokenAt(query, last);
      return true;
    }
    page.jobs.push_back(Summary(job));
    last = number;
    return false;
  };
  if (oldest_first) {
    for (auto it = tables.jobs.begin(); it != tables.jobs.end(); ++it) {
      if (add(it->first, it->second)) break;
    }
  } else {
    for (auto it = tables.jobs.rbegin(); it != tables.jobs.rend(); ++it) {
      if (add(it->first, it->second)) break;
    }
  }
  return page;
}

absl::StatusOr<std::vector<v1::JobEvent>> MemoryStore::Events(const std::string& job, int64_t after,
                                                              int limit) {
  const absl::MutexLock lock(&impl_->mutex());
  const auto found = impl_->tables().events.find(job);
  std::vector<v1::JobEvent> result;
  if (found == impl_->tables().events.end()) return result;
  for (const auto& event : found->second) {
    if (static_cast<int>(result.size()) >= limit) break;
    if (event.sequence() > after) result.push_back(event);
  }
  return result;
}

absl::StatusOr<std::optional<v1::SubmitRecord>> MemoryStore::FindSubmit(
    const std::string& owner, const std::string& request_id,
    std::chrono::system_clock::time_point since) {
  const absl::MutexLock lock(&impl_->mutex());
  const auto& submits = impl_->tables().submits;
  const auto found = submits.find({owner, request_id});
  if (found == submits.end() || base::FromTimestamp(found->second.time()) < since)
    return std::nullopt;
  return found->second;
}

absl::StatusOr<std::vector<v1::JournalEntry>> MemoryStore::Journal(const std::string& job,
                                                                   int64_t epoch) {
  const absl::MutexLock lock(&impl_->mutex());
  const auto found = impl_->tables().journal.find({job, epoch});
  if (found == impl_->tables().journal.end()) return std::vector<v1::JournalEntry>();
  return found->second;
}

}  // namespace ltml::jobs
