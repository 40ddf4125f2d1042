#include "coordinator/app/service_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/run/folder.h"
#include "coordinator/app/attempt_run.h"

namespace ltml::coordinator {
namespace {

using jobs::RunOutcome;

// From a stop at once until the supervisor has swept.
constexpr std::chrono::seconds kEndLimit(60);

class StoreJournal final : public AttemptJournal {
 public:
  StoreJournal(jobs::JobStore& store, std::string job, int64_t epoch)
      : store_(store), job_(std::move(job)), epoch_(epoch) {}

  void Append(v1::JournalEntry entry, std::function<void(const absl::Status&)> done) override {
    jobs::Change change;
    change.journal.push_back({job_, epoch_, std::move(entry)});
    store_.Commit(std::move(change), std::move(done));
  }

 private:
  jobs::JobStore& store_;
  const std::string job_;
  const int64_t epoch_;
};

RunOutcome Failed(v1::FailureCause cause, const v1::AttemptRecord& attempt,
                  const absl::Status& status) {
  RunOutcome outcome;
  outcome.failure.set_cause(cause);
  outcome.failure.set_rank(-1);
  outcome.failure.set_step(attempt.attempt().first_step());
  outcome.failure.set_message(std::string(status.message()));
  outcome.step = attempt.attempt().first_step();
  return outcome;
}

// Ends the processes of an attempt whose sessions cannot be taken up again.
void EndProcessesOf(const launch::AdoptOptions& options, const absl::Status& reason) {
  const auto attempt = launch::Adopt(options);
  if (!attempt.ok()) return;
  (*attempt)->Stop(std::string(reason.message()), true);
  (void)(*attempt)->Wait(kEndLimit);
}

// What becomes an attempt: how it runs, and whom it tells.
struct Plan {
  AttemptRunOptions run;
  absl::Status readable;  // why its journal cannot be read
  v1::AttemptRecord record;
  service::AttemptEvents events;
  jobs::JobStore* store = nullptr;
};

class ServiceAttempt final : public service::RunningAttempt {
 public:
  explicit ServiceAttempt(Plan plan);
  ~ServiceAttempt() override;
  void Stop(const std::string& reason) override;
  void Detach() override;

 private:
  RunEvents Events();
  void OnConnected(int rank);
  void Run();
  RunOutcome OutcomeOf(const absl::Status& status) const;
  RunOutcome OutcomeWithoutSessions() const;

  Plan plan_;
  StoreJournal journal_;
  std::set<int> connected_;  // ranks; on the run's thread
  std::atomic<int> interrupt_ = 0;
  std::atomic<bool> detached_ = false;
  absl::StatusOr<std::unique_ptr<AttemptRun>> run_;
  std::thread thread_;
};

ServiceAttempt::ServiceAttempt(Plan plan)
    : plan_(std::move(plan)),
      journal_(*plan_.store, plan_.record.job(), plan_.record.attempt().epoch()) {
  plan_.run.journal = &journal_;
  plan_.run.events = Events();
  plan_.run.interrupt = &interrupt_;
  for (const v1::JournalEntry& entry : plan_.run.restored) {
    if (entry.has_finished()) connected_.insert(entry.finished().rank());
  }
  run_ = plan_.readable.ok() ? AttemptRun::Create(plan_.run) : plan_.readable;
  thread_ = std::thread([this] { Run(); });
}

ServiceAttempt::~ServiceAttempt() {
  Detach();
  thread_.join();
}

void ServiceAttempt::Detach() {
  detached_ = true;
  if (run_.ok()) (*run_)->Detach();
}

void ServiceAttempt::Stop(const std::string& reason) {
  base::Log(base::LogLevel::kInfo, "attempt_stop", "job={} epoch={} reason={}", plan_.record.job(),
            plan_.record.attempt().epoch(), base::LogValue(reason));
  int none = 0;
  interrupt_.compare_exchange_strong(none, 1);
}

void ServiceAttempt::OnConnected(int rank) {
  connected_.insert(rank);
  if (std::ssize(connected_) == plan_.run.ranks) plan_.events.connected();
}

RunEvents ServiceAttempt::Events() {
  RunEvents events;
  events.rank_connected = [this](int rank, const std::string&, int) { OnConnected(rank); };
  events.step = plan_.events.step;
  events.progress = [this](const v1::Progress& progress) {
    plan_.events.progress(progress.step());
  };
  events.rank_progress = plan_.events.rank_progress;
  events.checkpoint = [this](int64_t step, const std::string& folder) {
    v1::CheckpointWritten written;
    written.set_step(step);
    written.set_folder(folder);
    plan_.events.checkpoint(written);
  };
  events.evaluation = plan_.events.evaluation;
  events.statistics = plan_.events.statistics;
  return events;
}

RunOutcome ServiceAttempt::OutcomeOf(const absl::Status& status) const {
  const bool adopted = std::holds_alternative<launch::AdoptOptions>(plan_.run.start);
  const bool not_started = absl::IsCancelled(status) || (adopted && absl::IsNotFound(status));
  if (not_started) {
    RunOutcome outcome;
    outcome.kind = RunOutcome::Kind::kNotStarted;
    outcome.step = plan_.record.attempt().first_step();
    outcome.failure.set_rank(-1);
    outcome.failure.set_message(interrupt_ > 0
                                    ? "stopped before its ranks had started"
                                    : "the server ended before it had started the attempt");
    return outcome;
  }
  return Failed(adopted ? v1::FAILURE_CAUSE_COORDINATOR_LOST : v1::FAILURE_CAUSE_LAUNCH,
                plan_.record, status);
}

RunOutcome ServiceAttempt::OutcomeWithoutSessions() const {
  if (const auto* adopt = std::get_if<launch::AdoptOptions>(&plan_.run.start)) {
    EndProcessesOf(*adopt, run_.status());
  }
  return Failed(v1::FAILURE_CAUSE_COORDINATOR_LOST, plan_.record, run_.status());
}

void ServiceAttempt::Run() {
  RunOutcome outcome;
  if (run_.ok()) {
    const absl::StatusOr<RunOutcome> ended = (*run_)->Run();
    if (absl::IsCancelled(ended.status()) && detached_) return;
    outcome = ended.ok() ? *ended : OutcomeOf(ended.status());
  } else {
    outcome = OutcomeWithoutSessions();
  }
  base::Log(base::LogLevel::kInfo, "attempt_ended", "job={} epoch={} step={} cause={} message={}",
            plan_.record.job(), plan_.record.attempt().epoch(), outcome.step,
            v1::FailureCause_Name(outcome.failure.cause()),
            base::LogValue(outcome.failure.message()));
  plan_.events.ended(outcome);
}

class Runner final : public ServiceRunner {
 public:
  explicit Runner(ServiceRunnerOptions options) : options_(std::move(options)) {}

  void SetAddress(const std::string& address) override { address_ = address; }
  std::unique_ptr<service::RunningAttempt> Start(const v1::Job& job,
                                                 const v1::AttemptRecord& attempt,
                                                 const std::string& token,
                                                 service::AttemptEvents events) override;
  std::unique_ptr<service::RunningAttempt> Adopt(const v1::Job& job,
                                                 const v1::AttemptRecord& attempt,
                                                 service::AttemptEvents events) override;

 private:
  Plan PlanOf(const v1::Job& job, const v1::AttemptRecord& attempt, service::AttemptEvents events);
  launch::LaunchOptions LaunchOf(const v1::Job& job, const v1::AttemptRecord& attempt,
                                 const std::string& token) const;
  std::string AddressOf(const std::string& host) const;

  const ServiceRunnerOptions options_;
  std::string address_;
};

std::string IdOf(const v1::Job& job) { return job.name().substr(job.name().find('/') + 1); }

Plan Runner::PlanOf(const v1::Job& job, const v1::AttemptRecord& attempt,
                    service::AttemptEvents events) {
  Plan plan;
  plan.record = attempt;
  plan.events = std::move(events);
  plan.store = options_.store;
  AttemptRunOptions& run = plan.run;
  run.task.set_kind(v1::WorkerTask::KIND_TRAIN);
  run.task.set_attempt_epoch(attempt.attempt().epoch());
  run.task.set_job_id(IdOf(job));
  run.task.set_coordinator(address_);
  run.task.set_run_folder(job.run_folder());
  *run.task.mutable_job() = job.spec();
  if (attempt.attempt().epoch() > 1) run.task.set_checkpoint("newest");
  run.task.set_classes(job.classes());
  run.task.set_authority(options_.authority);
  run.ranks = job.spec().resources().ranks();
  run.gateway = options_.gateway;
  run.token_sha256 = attempt.token_sha256();
  for (const v1::Placement& placement : attempt.attempt().placements()) {
    run.rank_hosts.insert(run.rank_hosts.end(), placement.ranks(), placement.host());
    run.task.mutable_devices()->MergeFrom(placement.devices());
  }
  return plan;
}

std::string Runner::AddressOf(const std::string& host) const {
  for (const v1::ServerHost& known : options_.config.hosts()) {
    if (known.name() == host && !known.address().empty()) return known.address();
  }
  return host;
}

launch::LaunchOptions Runner::LaunchOf(const v1::Job& job, const v1::AttemptRecord& attempt,
                                       const std::string& token) const {
  const v1::ServerLaunch& config = options_.config.launch();
  launch::LaunchOptions launch;
  launch.run_folder = job.run_folder();
  launch.attempt_folder = run::AttemptFolder(job.run_folder(), attempt.attempt().epoch());
  launch.attempt_epoch = attempt.attempt().epoch();
  launch.launch_id = attempt.launch_id();
  for (const v1::Placement& placement : attempt.attempt().placements()) {
    launch.hosts.push_back({AddressOf(placement.host()), placement.ranks()});
  }
  launch.threads_per_rank = std::max(job.spec().resources().threads_per_rank(), 1);
  launch.on_gpu = job.spec().resources().device() == v1::Resources::DEVICE_CUDA;
  launch.token = token;
  launch.stop_grace = StopGrace(job.spec().limits());
  launch.lock_wait = base::ToNanoseconds(job.spec().limits().stop());
  launch.allow_root = config.allow_root();
  launch.outlives_owner = true;
  launch.environment.assign(config.environment().begin(), config.environment().end());
  launch.remote.agent.assign(config.agent().begin(), config.agent().end());
  launch.remote.interfaces.assign(config.interfaces().begin(), config.interfaces().end());
  launch.remote.programs = options_.config.paths().programs();
  return launch;
}

std::unique_ptr<service::RunningAttempt> Runner::Start(const v1::Job& job,
                                                       const v1::AttemptRecord& attempt,
                                                       const std::string& token,
                                                       service::AttemptEvents events) {
  Plan plan = PlanOf(job, attempt, std::move(events));
  plan.run.start = LaunchOf(job, attempt, token);
  return std::make_unique<ServiceAttempt>(std::move(plan));
}

std::unique_ptr<service::RunningAttempt> Runner::Adopt(const v1::Job& job,
                                                       const v1::AttemptRecord& attempt,
                                                       service::AttemptEvents events) {
  Plan plan = PlanOf(job, attempt, std::move(events));
  const int64_t epoch = attempt.attempt().epoch();
  plan.run.start =
      launch::AdoptOptions{.run_folder = job.run_folder(),
                           .attempt_folder = run::AttemptFolder(job.run_folder(), epoch),
                           .attempt_epoch = epoch,
                           .launch_id = attempt.launch_id(),
                           .stop_grace = StopGrace(job.spec().limits())};
  plan.run.was_connected = job.state() != v1::JOB_STATE_STARTING;
  auto restored = options_.store->Journal(job.name(), epoch);
  plan.readable = restored.status();
  if (restored.ok()) plan.run.restored = *std::move(restored);
  return std::make_unique<ServiceAttempt>(std::move(plan));
}

}  // namespace

std::unique_ptr<ServiceRunner> ServiceRunner::Create(ServiceRunnerOptions options) {
  return std::make_unique<Runner>(std::move(options));
}

}  // namespace ltml::coordinator
