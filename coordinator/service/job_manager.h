#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/jobs/job_store.h"
#include "coordinator/service/attempt_runner.h"
#include "coordinator/service/live_job.h"
#include "ltml/v1/job_service.pb.h"
#include "ltml/v1/pool_service.pb.h"
#include "ltml/v1/server_config.pb.h"

namespace ltml::service {

// What only a look at the files can tell of a job.
struct DataFacts {
  int classes = 0;
};

struct JobManagerOptions {
  v1::ServerConfig config;
  jobs::JobStore* store = nullptr;  // must outlive the manager
  AttemptRunner* runner = nullptr;  // must outlive the manager
  // Looks at a job's data: paths below the configured roots, the training set's class table.
  // InvalidArgument faults are told as violations of the named fields.
  std::function<absl::StatusOr<DataFacts>(const v1::JobSpec&, std::vector<v1::FieldViolation>*)>
      inspect;
  // Prepares the run folder of a new job: RUNS/ID with job.json and dataset.json.  Called before
  // the first attempt; may find it done.
  std::function<absl::Status(const v1::Job&)> prepare_run;
  std::function<std::chrono::system_clock::time_point()> utc_now;
};

// Who asks, as the security room has established it.
struct Actor {
  std::string user;
  bool all_jobs = false;        // an admin's right to change jobs of others
  std::string request_id = {};  // of the call, for log lines that it causes
};

// Someone who watches one job.  Called in order, one call at a time, on the manager's threads; must
// be quick and not call back into the manager.
class JobListener {
 public:
  virtual ~JobListener() = default;
  virtual void OnEvent(const v1::JobEvent& event) = 0;
  // The job as it is now: at the start, and when its live part has moved, at most once a second.
  virtual void OnJob(const v1::Job& job) = 0;
};

// The service's heart: holds the jobs that have not ended, turns requests and the ends of attempts
// into transitions (coordinator/jobs), commits each before it acts on it, places waiting jobs on
// hosts, and starts or adopts their attempts.  Reads no request's identity: callers have checked
// roles; ownership is checked here.  Thread-safe.
class JobManager {
 public:
  using JobDone = std::function<void(absl::StatusOr<v1::Job>)>;

  // Loads the store; the runner has adopted what runs.  Internal or Unavailable from the store.
  static absl::StatusOr<std::unique_ptr<JobManager>> Start(JobManagerOptions options);
  // Waiting jobs are placed from here on.
  virtual void Open() = 0;
  // Leaves attempts running: the next server adopts them.
  virtual ~JobManager() = default;

  // `done` comes once the job is durable.  InvalidArgument with violations (see
  // common/rpc/status.h) for a job that cannot run here, also one that asks for more than the pool
  // has; AlreadyExists for a request id with another body; ResourceExhausted over jobs_per_user.
  virtual void Submit(const v1::SubmitRequest& request, const Actor& actor, JobDone done) = 0;
  virtual v1::ValidateResponse Validate(const v1::JobSpec& spec) = 0;

  // All with `done` once the change is durable.  NotFound; PermissionDenied for another one's job;
  // FailedPrecondition for a job that is not in a state for it.  Asking again for what already is,
  // or is under way, is no error.
  virtual void Cancel(const std::string& name, const Actor& actor, JobDone done) = 0;
  virtual void Pause(const std::string& name, const Actor& actor, JobDone done) = 0;
  virtual void Resume(const std::string& name, const Actor& actor, JobDone done) = 0;

  // With the live fields.
  virtual absl::StatusOr<v1::Job> Get(const std::string& name) = 0;
  // With the live step, and no other live field.
  virtual absl::StatusOr<jobs::JobPage> List(const v1::ListJobsRequest& query) = 0;

  // Every event of the job after `after`, stored or still to come, once and in order, until the
  // subscription is destroyed (no call comes after that).  NotFound.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  virtual absl::StatusOr<std::unique_ptr<Subscription>> Watch(
      const std::string& name, int64_t after, std::shared_ptr<JobListener> listener) = 0;

  virtual std::vector<v1::Host> Hosts() = 0;
  virtual void Drain(const v1::DrainRequest& request, const Actor& actor,
                     std::function<void(absl::StatusOr<v1::Host>)> done) = 0;
  virtual void Undrain(const std::string& host, const Actor& actor,
                       std::function<void(absl::StatusOr<v1::Host>)> done) = 0;

  // A job with all that is known of it; of one that has ended longer ago what is durable.
  virtual absl::StatusOr<LiveJob> Look(const std::string& name) = 0;
  virtual Observation Observe() = 0;
};

}  // namespace ltml::service
