#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ltml/v1/store.pb.h"

namespace ltml::jobs {

// One atomic change: all of it is stored, or nothing.
struct Change {
  std::vector<v1::Job> jobs;                // inserted or replaced, by name
  std::vector<v1::AttemptRecord> attempts;  // inserted or replaced, by job and epoch
  std::vector<v1::JobEvent> events;         // appended; sequence numbers are the caller's and grow
  std::optional<v1::SubmitRecord> submit;
  std::vector<v1::HostRecord> hosts;  // inserted or replaced, by name
  struct Journal {
    std::string job;
    int64_t epoch = 0;
    v1::JournalEntry entry;
  };
  // Appended in order; an entry for window w removes those of windows before w - 2 of its attempt.
  std::vector<Journal> journal;
  // Their journals are removed.
  std::vector<std::pair<std::string, int64_t>> ended_attempts;
};

// What a server needs when it starts.
struct Snapshot {
  std::vector<v1::Job> jobs;                // not ended, in the order in which they were submitted
  std::vector<v1::AttemptRecord> attempts;  // the newest of each of these jobs
  std::vector<v1::HostRecord> hosts;
  int64_t last_event = 0;
  std::map<std::string, int64_t> ended_jobs;  // by state's name, for counts
};

struct JobPage {
  std::vector<v1::Job> jobs;
  std::string next_page_token;  // empty: the last one
};

// Where jobs are kept.  Commits are made durable in the order in which they are given, many at once
// where they come fast.  Thread-safe.
class JobStore {
 public:
  using Done = std::function<void(const absl::Status&)>;
  virtual ~JobStore() = default;

  // `done` is called once on another thread: OK when the change will survive a power cut,
  // Unavailable when the disk is full or refuses (nothing of the change is stored then).
  // Callbacks come in the order of the commits.
  virtual void Commit(Change change, Done done) = 0;

  virtual absl::StatusOr<Snapshot> Load() = 0;
  // NotFound names the job.
  virtual absl::StatusOr<v1::Job> Job(const std::string& name) = 0;
  // In the order of submission, or newest first.  InvalidArgument for a token that is not one of
  // this query.
  virtual absl::StatusOr<JobPage> List(const v1::ListJobsRequest& query) = 0;
  // Events of a job after a sequence number, at most `limit`, in order.
  virtual absl::StatusOr<std::vector<v1::JobEvent>> Events(const std::string& job, int64_t after,
                                                           int limit) = 0;
  // The Submit of this owner under this id since `since`; nullopt without one.
  virtual absl::StatusOr<std::optional<v1::SubmitRecord>> FindSubmit(
      const std::string& owner, const std::string& request_id,
      std::chrono::system_clock::time_point since) = 0;
  virtual absl::StatusOr<std::vector<v1::JournalEntry>> Journal(const std::string& job,
                                                                int64_t epoch) = 0;
};

}  // namespace ltml::jobs
