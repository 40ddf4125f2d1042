#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/base/lane.h"
#include "coordinator/jobs/queue.h"
#include "coordinator/jobs/transition.h"
#include "coordinator/service/host_table.h"
#include "coordinator/service/job_manager.h"
#include "coordinator/service/rank_book.h"
#include "coordinator/service/watch_hub.h"

namespace ltml::service {

// The JobManager.  One mutex guards the table of jobs that have not ended and the pool.  What is
// slow or calls others runs on lanes, without the mutex: commits in the order of their sequence
// numbers, answers, attempts (which one lane starts, stops and destroys), and watching.
//
// A change of a job is an Op.  Ops of one job run one after the other: decide on the durable job,
// commit, and only then apply and act.
class Manager : public JobManager {
 public:
  Manager(JobManagerOptions options, const jobs::Snapshot& snapshot);
  ~Manager() override;

  // Until the runner has all attempts that an earlier server left.
  void AwaitAdoption();
  void Open() override;
  void Submit(const v1::SubmitRequest& request, const Actor& actor, JobDone done) override;
  v1::ValidateResponse Validate(const v1::JobSpec& spec) override;
  void Cancel(const std::string& name, const Actor& actor, JobDone done) override;
  void Pause(const std::string& name, const Actor& actor, JobDone done) override;
  void Resume(const std::string& name, const Actor& actor, JobDone done) override;
  absl::StatusOr<v1::Job> Get(const std::string& name) override;
  absl::StatusOr<jobs::JobPage> List(const v1::ListJobsRequest& query) override;
  absl::StatusOr<std::unique_ptr<Subscription>> Watch(
      const std::string& name, int64_t after, std::shared_ptr<JobListener> listener) override;
  std::vector<v1::Host> Hosts() override;
  using HostDone = std::function<void(absl::StatusOr<v1::Host>)>;
  void Drain(const v1::DrainRequest& request, const Actor& actor, HostDone done) override;
  void Undrain(const std::string& host, const Actor& actor, HostDone done) override;
  absl::StatusOr<LiveJob> Look(const std::string& name) override;
  Observation Observe() override;

 private:
  struct Entry;
  // One durable change of a job, and what follows it.
  struct Step {
    v1::Job job;
    jobs::Change change;                  // without the job; events without sequence numbers
    std::function<void(Entry&)> applied;  // with the mutex
  };
  // nullopt: nothing is to be changed.
  using Decide = std::function<absl::StatusOr<std::optional<Step>>(const Entry&)>;
  struct Op {
    Decide decide;
    JobDone done;                         // of a user's request; none for internal ones
    std::function<void(Entry&)> dropped;  // with the mutex, when a commit has failed
    bool retry = false;                   // until the store takes it
  };
  struct Entry {
    v1::Job job;  // durable
    v1::AttemptRecord record;
    int64_t order = 0;
    jobs::Placements held;  // slots taken, or about to be
    bool placing = false;
    bool busy = false;  // a commit is under way
    std::optional<std::chrono::steady_clock::time_point> retry_at;
    std::deque<Op> ops;
    int64_t live_step = 0;
    std::optional<v1::StepMetrics> metrics;
    RankBook ranks;
    LiveJob live;  // its parts that are nowhere else
    std::chrono::steady_clock::time_point ended;
  };
  using Entries = std::map<std::string, std::unique_ptr<Entry>>;
  struct PendingSubmit {
    v1::SubmitRequest request;
    std::string owner;
    std::vector<JobDone> waiting;
  };
  struct NewState {
    v1::JobTrigger trigger;
    std::string reason;
  };

  // manager.cc
  void Restore(const jobs::Snapshot& snapshot);
  void RunTimer();
  void OnTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entry* Find(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  UtcTime Now() const { return options_.utc_now(); }
  v1::Job View(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  LiveJob LiveOf(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  double LongestWait() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Reply(JobDone done, absl::StatusOr<v1::Job> result);
  void SendCommit(jobs::Change change, jobs::JobStore::Done done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // manager_ops.cc
  void Enqueue(Entry& entry, Op op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // An op of the manager's own: tried until the store takes it.
  void EnqueueOwn(Entry& entry, Decide decide) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunOps(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CommitStep(Entry& entry, Step step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnCommitted(const std::string& name, const Step& step, const absl::Status& status);
  void OnRefused(Entry& entry, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Replace(Entry& entry, const v1::Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The job after a trigger, with its event.  FailedPrecondition as of Transition.
  absl::StatusOr<Step> Move(const Entry& entry, const NewState& state) const;
  // A new event of the entry's job, at this moment.
  v1::JobEvent& AddEvent(Step& step, const Entry& entry) const;

  // manager_requests.cc
  struct Control {
    v1::JobTrigger trigger;
    std::string verb;
    // States in which it is done, or under way: no error.
    bool (*already)(const v1::Job&);
  };
  void RunControl(const std::string& name, const Actor& actor, const Control& control,
                  JobDone done);
  void ControlEnded(const std::string& name, const Control& control, const Actor& actor,
                    JobDone done);
  void SubmitNew(const v1::SubmitRequest& request, const Actor& actor, const std::string& key);
  void EndSubmit(const std::string& key, const absl::StatusOr<v1::Job>& result);
  void OnSubmitted(const std::string& key, const v1::Job& job, const absl::Status& status);
  void SetHost(v1::HostRecord record, const std::string& preempt_reason, HostDone done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // manager_schedule.cc
  static jobs::QueueKey KeyOf(const Entry& entry);
  void AddWaiting(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RemoveWaiting(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SchedulePass() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartPlaced(const jobs::Placed& placed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::optional<Step>> DecidePlace(const Entry& entry, bool backfilled);
  void Expire() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // manager_attempts.cc
  AttemptEvents EventsOf(const std::string& name, int64_t epoch);
  void PostStart(const v1::Job& job, const v1::AttemptRecord& record, const std::string& token);
  void PostAdopt(const v1::Job& job, const v1::AttemptRecord& record);
  void PostStop(const v1::Job& job, const std::string& reason);
  void WithAttempt(const std::string& name, int64_t epoch, const std::function<void(Entry&)>& use);
  void OnCheckpoint(Entry& entry, const v1::CheckpointWritten& checkpoint)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void OnRank(Entry& entry, int rank, const v1::Progress& progress, UtcTime now);
  static void OnStatistics(Entry& entry, std::shared_ptr<const v1::ClassStatistics> statistics);
  void OnEvaluation(Entry& entry, const v1::Report& report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnEnded(Entry& entry, int64_t epoch, const jobs::RunOutcome& outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::optional<Step>> DecideEnd(const Entry& entry,
                                                const jobs::RunOutcome& outcome);
  void Preempt(Entry& entry, const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Requeue(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const JobManagerOptions options_;
  absl::Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  Entries ended_ ABSL_GUARDED_BY(mutex_);  // for a grace period
  HostTable hosts_ ABSL_GUARDED_BY(mutex_);
  Durations queue_waits_ ABSL_GUARDED_BY(mutex_);
  std::map<jobs::QueueKey, std::string> waiting_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<UtcTime, std::string>> expiries_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> retries_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, PendingSubmit> submits_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int64_t> jobs_of_ ABSL_GUARDED_BY(mutex_);  // by owner, pending ones too
  std::map<v1::JobState, int64_t> counts_ ABSL_GUARDED_BY(mutex_);
  int64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t next_order_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t next_submit_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t commits_open_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  bool schedule_ ABSL_GUARDED_BY(mutex_) = true;
  std::chrono::steady_clock::time_point schedule_after_ ABSL_GUARDED_BY(mutex_) = {};
  UtcTime last_tick_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;

  // By job and epoch; touched on the attempts lane alone.
  std::map<std::pair<std::string, int64_t>, std::unique_ptr<RunningAttempt>> running_;
  WatchHub hub_;
  base::Lane replies_;
  base::Lane commits_;
  base::Lane attempts_;
  std::thread timer_;
};

}  // namespace ltml::service
