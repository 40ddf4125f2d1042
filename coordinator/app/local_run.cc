#include "coordinator/app/local_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <system_error>
#include <utility>

#include "common/base/files.h"
#include "common/base/host_name.h"
#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "coordinator/app/event_queue.h"
#include "coordinator/app/verdict.h"
#include "coordinator/launch/launcher.h"
#include "coordinator/launch/mpirun_report.h"
#include "coordinator/launch/processes.h"
#include "coordinator/rpc/worker_server.h"

namespace ltml::coordinator {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr milliseconds kTick(50);
// More time than this between two ticks: this process was stopped, or starved.
constexpr seconds kLongestPause(1);
constexpr seconds kCatchUp(2);
// What ranks said just before they ended may still be on its way.
constexpr seconds kLastWords(1);
constexpr seconds kLongestGrace(5);
// From the end of the grace until the supervisor has swept and written its record.
constexpr seconds kSweepMargin(20);
constexpr size_t kTailBytes = 2000;

streams::AttemptOptions StreamOptions(const LocalRunOptions& options, int64_t epoch) {
  const v1::JobSpec& job = options.task.job();
  streams::AttemptOptions result;
  result.epoch = epoch;
  result.world_size = options.ranks;
  result.classes = options.classes;
  result.steps = job.schedule().steps();
  result.window = std::max<int64_t>(job.loss().statistics_window(), 1);
  result.decay = job.loss().statistics_decay();
  result.prior = job.loss().statistics_prior();
  result.compensate = job.loss().compensation() == v1::Loss::COMPENSATION_STATISTICS;
  result.form = job.loss().statistics_form() == v1::Loss::STATISTICS_FORM_ABSOLUTE
                    ? statistics::Form::kAbsolute
                    : statistics::Form::kRelative;
  return result;
}

struct AttemptFolder {
  int64_t epoch = 0;
  std::filesystem::path path;
};

int64_t LastEpoch(const std::filesystem::path& attempts) {
  int64_t last = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(attempts, error)) {
    const std::string name = entry.path().filename().string();
    int64_t number = 0;
    const auto [end, parsed] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed == std::errc() && end == name.data() + name.size()) last = std::max(last, number);
  }
  return last;
}

// A folder of its own, also when two programs try at the same time.
absl::StatusOr<AttemptFolder> NewAttemptFolder(const std::filesystem::path& run_folder) {
  const std::filesystem::path attempts = run_folder / "attempts";
  std::error_code error;
  std::filesystem::create_directories(attempts, error);
  for (int64_t epoch = LastEpoch(attempts) + 1; !error; ++epoch) {
    const std::filesystem::path path = attempts / fmt::format("{}", epoch);
    if (std::filesystem::create_directory(path, error)) return AttemptFolder{epoch, path};
  }
  return absl::InternalError(
      fmt::format("cannot create a folder in '{}': {}", attempts.string(), error.message()));
}

absl::Status CheckOptions(const LocalRunOptions& options) {
  const v1::Limits& limits = options.task.job().limits();
  if (base::ToNanoseconds(limits.start()) > nanoseconds(0) &&
      base::ToNanoseconds(limits.lease()) > nanoseconds(0) &&
      base::ToNanoseconds(limits.stop()) > nanoseconds(0)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("limits.start, limits.lease and limits.stop must be set");
}

class LocalRun {
 public:
  explicit LocalRun(const LocalRunOptions& options)
      : options_(options),
        limits_(options.task.job().limits()),
        grace_(std::min<nanoseconds>(base::ToNanoseconds(limits_.stop()), kLongestGrace)),
        verdict_(options.ranks, base::HostName()) {}

  absl::Status Start();
  jobs::RunOutcome Watch();

 private:
  absl::Status StartServer(const std::string& token);
  WorkerEvents Events();
  void OnProgress(int rank, const v1::Progress& progress);
  int Interrupts() const { return options_.interrupt == nullptr ? 0 : options_.interrupt->load(); }
  void OnTick();
  bool StoodStill(Clock::time_point now);
  void Judge(Clock::time_point now);
  void OnInterrupt(Clock::time_point now);
  void End(const std::string& reason, nanoseconds limit);
  bool Expired(Clock::time_point now) const { return deadline_ && now >= *deadline_; }
  v1::Failure NotStopped() const;
  jobs::RunOutcome Conclude(const absl::StatusOr<v1::ExitRecord>& record);
  std::string Tail(const std::optional<launch::RankExit>& exit) const;

  const LocalRunOptions& options_;
  const v1::Limits limits_;
  const nanoseconds grace_;
  AttemptFolder folder_;
  base::PrivateFolder socket_folder_;
  EventQueue events_;
  Verdict verdict_;
  Clock::time_point launched_;
  Clock::time_point last_tick_;
  Clock::time_point judge_from_;  // not earlier
  int64_t last_metrics_step_ = -1;
  int interrupts_seen_ = 0;
  bool interrupted_ = false;
  bool ending_ = false;                        // force is under way
  std::optional<Clock::time_point> deadline_;  // for what is under way
  // Last, so that they end before what their threads use.
  std::unique_ptr<WorkerServer> server_;
  std::unique_ptr<launch::Attempt> attempt_;
};

void LocalRun::OnProgress(int rank, const v1::Progress& progress) {
  if (rank != 0) return;
  verdict_.OnStep(progress.step());
  if (progress.has_metrics() && progress.metrics().step() != last_metrics_step_) {
    last_metrics_step_ = progress.metrics().step();
    if (options_.events.step) options_.events.step(progress.metrics());
  }
  if (options_.events.progress) options_.events.progress(progress);
}

WorkerEvents LocalRun::Events() {
  WorkerEvents events;
  events.hello = [this](int rank, const v1::Hello& hello) {
    if (!options_.events.rank_connected) return;
    events_.Post([this, rank, host = hello.host()] {
      options_.events.rank_connected(rank, host, options_.ranks);
    });
  };
  events.progress = [this](int rank, const v1::Progress& progress) {
    events_.Post([this, rank, progress] { OnProgress(rank, progress); });
  };
  events.checkpoint_done = [this](int, const v1::CheckpointDone& done) {
    if (!options_.events.checkpoint) return;
    events_.Post([this, done] { options_.events.checkpoint(done.step(), done.folder()); });
  };
  events.evaluation_done = [this](int, const v1::EvaluationDone& done) {
    if (!options_.events.evaluation) return;
    events_.Post([this, done] { options_.events.evaluation(done.report()); });
  };
  events.failure = [this](int rank, v1::Failure failure) {
    failure.set_rank(rank);
    events_.Post([this, failure] { verdict_.OnFailure(failure, Clock::now()); });
  };
  events.finished = [this](int rank, const v1::Finished& finished) {
    events_.Post([this, rank, finished] { verdict_.OnFinished(rank, finished); });
  };
  return events;
}

absl::Status LocalRun::StartServer(const std::string& token) {
  LTML_ASSIGN_OR_RETURN(socket_folder_, base::PrivateFolder::Create("ltml"));
  WorkerServerOptions options;
  options.address = fmt::format("unix:{}", (socket_folder_.path() / "socket").string());
  options.job_id = options_.task.job_id();
  options.attempt = StreamOptions(options_, folder_.epoch);
  options.training = options_.task.kind() == v1::WorkerTask::KIND_TRAIN;
  options.token = token;
  options.lease = base::ToNanoseconds(limits_.lease());
  options.events = Events();
  LTML_ASSIGN_OR_RETURN(server_, WorkerServer::Start(options));
  v1::WorkerTask task = options_.task;
  task.set_attempt_epoch(folder_.epoch);
  task.set_coordinator(options.address);
  task.set_classes(options_.classes);
  return base::WriteJsonFile(folder_.path / "task.json", task);
}

absl::Status LocalRun::Start() {
  LTML_ASSIGN_OR_RETURN(folder_, NewAttemptFolder(options_.folder));
  const std::string token = base::RandomToken();
  LTML_RETURN_IF_ERROR(StartServer(token));
  launched_ = Clock::now();
  auto attempt = launch::Launch(
      {.run_folder = options_.folder,
       .attempt_folder = folder_.path,
       .attempt_epoch = folder_.epoch,
       .launch_id = base::RandomToken(),
       .hosts = {{.address = "localhost", .ranks = options_.ranks}},
       .threads_per_rank = std::max(options_.task.job().resources().threads_per_rank(), 1),
       .token = token,
       .stop_grace = grace_,
       .lock_wait = base::ToNanoseconds(limits_.stop()),
       .abandoned = [this] { return Interrupts() > 0; }});
  if (attempt.ok()) {
    attempt_ = *std::move(attempt);
    launched_ = Clock::now();
    return absl::OkStatus();
  }
  std::error_code ignored;
  if (absl::IsFailedPrecondition(attempt.status()) || absl::IsCancelled(attempt.status())) {
    std::filesystem::remove_all(folder_.path, ignored);
  }
  return attempt.status();
}

void LocalRun::End(const std::string& reason, nanoseconds limit) {
  if (ending_) return;
  ending_ = true;
  deadline_ = Clock::now() + limit;
  attempt_->Stop(reason, true);
}

v1::Failure LocalRun::NotStopped() const {
  v1::Failure failure;
  failure.set_cause(v1::FAILURE_CAUSE_NO_PROGRESS);
  failure.set_rank(-1);
  failure.set_host(base::HostName());
  failure.set_step(verdict_.step());
  failure.set_message(
      fmt::format("the ranks did not stop within {:.0f} s of being asked to and were ended; go on "
                  "with --resume from the last checkpoint, or raise limits.stop",
                  std::chrono::duration<double>(base::ToNanoseconds(limits_.stop())).count()));
  return failure;
}

void LocalRun::OnInterrupt(Clock::time_point now) {
  const int interrupts = Interrupts();
  if (interrupts <= interrupts_seen_ || ending_) return;
  const bool first = interrupts_seen_ == 0;
  interrupts_seen_ = interrupts;
  const auto ranks = server_->Ranks();
  const bool can_stop = options_.task.kind() == v1::WorkerTask::KIND_TRAIN && !ranks.empty() &&
                        ranks[0].connected && !ranks[0].finished;
  if (first && interrupts == 1 && can_stop) {
    server_->SendCommand(v1::Command::KIND_STOP);
    deadline_ = now + base::ToNanoseconds(limits_.stop());
    return;
  }
  if (verdict_.all_finished()) return;
  interrupted_ = true;
  End("interrupted", grace_ + kSweepMargin);
}

// What ranks sent while this process was stopped looks like silence until it is read.
bool LocalRun::StoodStill(Clock::time_point now) {
  if (now - last_tick_ > kLongestPause) judge_from_ = now + kCatchUp;
  last_tick_ = now;
  return now < judge_from_;
}

void LocalRun::Judge(Clock::time_point now) {
  const bool stood_still = StoodStill(now);
  if (verdict_.all_finished() || ending_) return;
  if (const auto failure = server_->ProtocolFailure()) verdict_.OnFailure(*failure, now);
  if (stood_still) return;
  if (const auto failure = streams::Judge(server_->Ranks(), limits_, launched_, now)) {
    verdict_.OnFailure(*failure, now);
  }
}

void LocalRun::OnTick() {
  const Clock::time_point now = Clock::now();
  OnInterrupt(now);
  Judge(now);
  if (ending_) return;
  if (const auto failure = verdict_.Settled(now)) {
    End(failure->message(), grace_ + kSweepMargin);
  } else if (verdict_.all_finished() && !Expired(now)) {
    if (!deadline_) deadline_ = now + base::ToNanoseconds(limits_.stop());
  } else if (Expired(now)) {
    if (!verdict_.all_finished()) verdict_.OnFailure(NotStopped(), now);
    End("the ranks did not end in time", grace_ + kSweepMargin);
  }
}

std::string LocalRun::Tail(const std::optional<launch::RankExit>& exit) const {
  std::string tail = launch::LogTail(folder_.path / "mpirun.log", kTailBytes);
  for (int rank = 0; rank < options_.ranks; ++rank) {
    if (exit && exit->rank != rank) continue;
    const std::string file = fmt::format("rank-{}.log", rank);
    const std::string said = launch::LogTail(folder_.path / file, kTailBytes);
    if (!said.empty()) return fmt::format("{}{}:\n{}", tail, file, said);
  }
  return tail;
}

jobs::RunOutcome LocalRun::Conclude(const absl::StatusOr<v1::ExitRecord>& record) {
  Ending ending;
  ending.ranks = server_->Ranks();
  ending.now = Clock::now();
  ending.interrupted = interrupted_;
  if (record.ok()) {
    ending.record = *record;
  } else {
    ending.record.set_exit_status(-1);
    ending.record.set_stop_reason(std::string(record.status().message()));
  }
  ending.rank_exit = launch::FindRankExit(base::ReadFile(folder_.path / "mpirun.log").value_or(""));
  ending.log_tail = Tail(ending.rank_exit);
  jobs::RunOutcome outcome = verdict_.Conclude(ending);
  if (outcome.failure.cause() != v1::FAILURE_CAUSE_UNSPECIFIED && outcome.failure.host().empty()) {
    const int rank = outcome.failure.rank();
    const bool known = rank >= 0 && rank < std::ssize(ending.ranks);
    outcome.failure.set_host(known && !ending.ranks[rank].host.empty() ? ending.ranks[rank].host
                                                                       : base::HostName());
  }
  return outcome;
}

jobs::RunOutcome LocalRun::Watch() {
  last_tick_ = Clock::now();
  absl::StatusOr<v1::ExitRecord> record = attempt_->Wait(nanoseconds(0));
  while (absl::IsDeadlineExceeded(record.status())) {
    events_.Run(kTick);
    OnTick();
    record = attempt_->Wait(nanoseconds(0));
    if (ending_ && Expired(Clock::now())) break;
  }
  const Clock::time_point last_words = Clock::now() + kLastWords;
  while (!verdict_.decided() && Clock::now() < last_words) events_.Run(kTick);
  jobs::RunOutcome outcome = Conclude(record);
  server_.reset();
  events_.Run(milliseconds(0));
  attempt_.reset();
  return outcome;
}

}  // namespace

absl::StatusOr<jobs::RunOutcome> RunLocally(const LocalRunOptions& options) {
  LTML_RETURN_IF_ERROR(CheckOptions(options));
  LocalRun run(options);
  LTML_RETURN_IF_ERROR(run.Start());
  return run.Watch();
}

}  // namespace ltml::coordinator
