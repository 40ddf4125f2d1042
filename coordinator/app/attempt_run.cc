#include "coordinator/app/attempt_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "common/base/files.h"
#include "common/base/host_name.h"
#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/run/folder.h"
#include "coordinator/app/event_queue.h"
#include "coordinator/app/verdict.h"
#include "coordinator/launch/mpirun_report.h"
#include "coordinator/launch/processes.h"
#include "coordinator/streams/health.h"
#include "ltml/v1/job_service.pb.h"

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
// From the end of the grace until the supervisor has swept and written its record.
constexpr seconds kSweepMargin(20);
// How long a start that is under way may hold up a server that ends.
constexpr seconds kStartAtDetach(5);
constexpr seconds kLongestGrace(5);
constexpr size_t kTailBytes = 2000;

streams::AttemptOptions StreamOptions(const AttemptRunOptions& options) {
  const v1::JobSpec& job = options.task.job();
  streams::AttemptOptions result;
  result.epoch = options.task.attempt_epoch();
  result.world_size = options.ranks;
  result.classes = options.task.classes();
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

absl::Status CheckLimits(const v1::Limits& limits) {
  if (base::ToNanoseconds(limits.start()) > nanoseconds(0) &&
      base::ToNanoseconds(limits.lease()) > nanoseconds(0) &&
      base::ToNanoseconds(limits.stop()) > nanoseconds(0)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("limits.start, limits.lease and limits.stop must be set");
}

std::string Seconds(nanoseconds duration) {
  return fmt::format("{:.3g} s", std::chrono::duration<double>(duration).count());
}

class LiveRun final : public AttemptRun {
 public:
  explicit LiveRun(AttemptRunOptions options)
      : options_(std::move(options)),
        limits_(options_.task.job().limits()),
        adopted_(std::holds_alternative<launch::AdoptOptions>(options_.start)),
        folder_(std::visit([](const auto& start) { return start.attempt_folder; }, options_.start)),
        grace_(std::visit([](const auto& start) { return start.stop_grace; }, options_.start)),
        verdict_(options_.ranks, base::HostName()) {
    for (int rank = 0; rank < options_.ranks; ++rank) {
      v1::RankStatus& status = *summary_.add_ranks();
      status.set_rank(rank);
      if (rank < std::ssize(options_.rank_hosts)) status.set_host(options_.rank_hosts[rank]);
    }
  }

  absl::Status Register();
  absl::StatusOr<jobs::RunOutcome> Run() override;
  void Detach() override {
    detached_ = true;
    events_.Post([] {});
  }

 private:
  absl::Status Start();
  absl::Status Launch(launch::LaunchOptions launch);
  bool StartIsUnwanted();
  WorkerEvents Events();
  void OnHello(int rank, const std::string& host, int64_t first_step);
  void OnProgress(int rank, const v1::Progress& progress);
  void NoteRank(int rank, const v1::Progress& progress);
  void Record(const jobs::RunOutcome& outcome);
  int Interrupts() const { return options_.interrupt == nullptr ? 0 : options_.interrupt->load(); }
  bool CanStop(const std::vector<streams::RankView>& ranks) const;
  void OnTick();
  bool StoodStill(Clock::time_point now);
  void Judge(Clock::time_point now);
  std::optional<v1::Failure> NotBack(const std::vector<streams::RankView>& ranks,
                                     Clock::time_point now);
  void OnInterrupt(Clock::time_point now);
  enum class Force { kAskOnceMore, kAtOnce };
  void End(const std::string& reason, Force force);
  bool Expired(Clock::time_point now) const { return deadline_ && now >= *deadline_; }
  v1::Failure NotStopped() const;
  jobs::RunOutcome Conclude(const absl::StatusOr<v1::ExitRecord>& record);
  void NameHost(v1::Failure& failure, const std::vector<streams::RankView>& ranks) const;
  std::string Tail(const std::optional<launch::RankExit>& exit) const;

  const AttemptRunOptions options_;
  const v1::Limits limits_;
  const bool adopted_;
  const std::filesystem::path folder_;
  const nanoseconds grace_;
  std::atomic<bool> detached_ = false;
  EventQueue events_;
  Verdict verdict_;
  std::optional<Clock::time_point> detached_at_;  // seen while the attempt started
  Clock::time_point launched_;                    // or adopted
  const std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  Clock::time_point last_tick_;
  Clock::time_point judge_from_;  // not earlier
  bool all_back_ = false;         // of adopted ranks
  int64_t last_metrics_step_ = -1;
  v1::AttemptSummary summary_;
  int interrupts_seen_ = 0;
  bool interrupted_ = false;
  bool ending_ = false;                        // force is under way
  std::optional<Clock::time_point> deadline_;  // for what is under way
  // Last, so that they end before what their threads use.
  std::unique_ptr<AttemptSessions> sessions_;
  std::unique_ptr<launch::Attempt> attempt_;
};

void LiveRun::OnHello(int rank, const std::string& host, int64_t first_step) {
  v1::RankStatus& status = *summary_.mutable_ranks(rank);
  if (status.host().empty()) status.set_host(host);
  if (rank == 0) summary_.mutable_attempt()->set_first_step(first_step);
  if (options_.events.rank_connected) options_.events.rank_connected(rank, host, options_.ranks);
}

void LiveRun::OnProgress(int rank, const v1::Progress& progress) {
  NoteRank(rank, progress);
  if (options_.events.rank_progress) options_.events.rank_progress(rank, progress);
  if (rank != 0) return;
  verdict_.OnStep(progress.step());
  if (progress.has_metrics() && progress.metrics().step() != last_metrics_step_) {
    last_metrics_step_ = progress.metrics().step();
    if (options_.events.step) options_.events.step(progress.metrics());
  }
  if (options_.events.progress) options_.events.progress(progress);
}

void LiveRun::NoteRank(int rank, const v1::Progress& progress) {
  v1::RankStatus& status = *summary_.mutable_ranks(rank);
  *status.mutable_last_message_time() = base::ToTimestamp(std::chrono::system_clock::now());
  status.set_phase(progress.phase());
  status.set_step(std::max(status.step(), progress.step()));
  *status.mutable_times() = progress.times();
}

// For the report of a run; nothing else needs it.
void LiveRun::Record(const jobs::RunOutcome& outcome) {
  v1::Attempt& attempt = *summary_.mutable_attempt();
  attempt.set_epoch(options_.task.attempt_epoch());
  *attempt.mutable_start_time() = base::ToTimestamp(started_);
  *attempt.mutable_end_time() = base::ToTimestamp(std::chrono::system_clock::now());
  attempt.set_last_step(outcome.step);
  if (outcome.kind == jobs::RunOutcome::Kind::kFailed) *attempt.mutable_failure() = outcome.failure;
  const absl::Status recorded = base::WriteJsonFile(folder_ / run::kAttemptFile, summary_);
  if (recorded.ok()) return;
  base::Log(base::LogLevel::kWarning, "attempt_not_recorded", "folder={} reason={}",
            base::LogValue(folder_.string()), base::LogValue(std::string(recorded.message())));
}

WorkerEvents LiveRun::Events() {
  WorkerEvents events;
  events.hello = [this](int rank, const v1::Hello& hello) {
    events_.Post([this, rank, host = hello.host(), step = hello.resume().step()] {
      OnHello(rank, host, step);
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
  events.statistics = [this](const std::shared_ptr<const v1::ClassStatistics>& statistics) {
    if (!options_.events.statistics) return;
    events_.Post([this, statistics] { options_.events.statistics(statistics); });
  };
  return events;
}

absl::Status LiveRun::Register() {
  LTML_RETURN_IF_ERROR(CheckLimits(limits_));
  LTML_ASSIGN_OR_RETURN(
      sessions_,
      options_.gateway->Add({.job_id = options_.task.job_id(),
                             .attempt = StreamOptions(options_),
                             .training = options_.task.kind() == v1::WorkerTask::KIND_TRAIN,
                             .token_sha256 = options_.token_sha256,
                             .lease = base::ToNanoseconds(limits_.lease()),
                             .events = Events(),
                             .journal = options_.journal,
                             .restored = options_.restored}));
  return absl::OkStatus();
}

bool LiveRun::StartIsUnwanted() {
  if (Interrupts() > 0) return true;
  if (!detached_) return false;
  if (!detached_at_) detached_at_ = Clock::now();
  return Clock::now() - *detached_at_ > kStartAtDetach;
}

absl::Status LiveRun::Launch(launch::LaunchOptions launch) {
  LTML_RETURN_IF_ERROR(base::MakeFolder(folder_));
  LTML_RETURN_IF_ERROR(base::WriteJsonFile(folder_ / "task.json", options_.task));
  launch.abandoned = [this] { return StartIsUnwanted(); };
  LTML_ASSIGN_OR_RETURN(attempt_, launch::Launch(launch));
  return absl::OkStatus();
}

absl::Status LiveRun::Start() {
  launched_ = Clock::now();
  if (const auto* launch = std::get_if<launch::LaunchOptions>(&options_.start)) {
    LTML_RETURN_IF_ERROR(Launch(*launch));
  } else {
    LTML_ASSIGN_OR_RETURN(attempt_, launch::Adopt(std::get<launch::AdoptOptions>(options_.start)));
  }
  launched_ = last_tick_ = Clock::now();
  return absl::OkStatus();
}

void LiveRun::End(const std::string& reason, Force force) {
  if (ending_) return;
  ending_ = true;
  const bool at_once = force == Force::kAtOnce;
  deadline_ = Clock::now() + (at_once ? 1 : 2) * grace_ + kSweepMargin;
  attempt_->Stop(reason, at_once);
}

v1::Failure LiveRun::NotStopped() const {
  v1::Failure failure;
  failure.set_cause(v1::FAILURE_CAUSE_NO_PROGRESS);
  failure.set_rank(-1);
  failure.set_step(verdict_.step());
  failure.set_message(
      fmt::format("the ranks did not stop within {:.0f} s of being asked to and were ended; go on "
                  "with --resume from the last checkpoint, or raise limits.stop",
                  std::chrono::duration<double>(base::ToNanoseconds(limits_.stop())).count()));
  return failure;
}

// A command waits for a rank 0 that has to come back; to one that never came it would tell nothing.
bool LiveRun::CanStop(const std::vector<streams::RankView>& ranks) const {
  return options_.task.kind() == v1::WorkerTask::KIND_TRAIN && !ranks.empty() &&
         !ranks[0].finished && (ranks[0].connected || adopted_);
}

void LiveRun::OnInterrupt(Clock::time_point now) {
  const int interrupts = Interrupts();
  if (interrupts <= interrupts_seen_ || ending_) return;
  const bool first = interrupts_seen_ == 0;
  interrupts_seen_ = interrupts;
  if (first && interrupts == 1 && CanStop(sessions_->Ranks())) {
    sessions_->SendCommand(v1::Command::KIND_STOP);
    deadline_ = now + base::ToNanoseconds(limits_.stop());
    return;
  }
  if (verdict_.all_finished()) return;
  interrupted_ = true;
  End("interrupted", Force::kAtOnce);
}

// What ranks sent while this process was stopped looks like silence until it is read.
bool LiveRun::StoodStill(Clock::time_point now) {
  if (now - last_tick_ > kLongestPause) judge_from_ = now + kCatchUp;
  last_tick_ = now;
  return now < judge_from_;
}

std::optional<v1::Failure> LiveRun::NotBack(const std::vector<streams::RankView>& ranks,
                                            Clock::time_point now) {
  const auto missing = std::ranges::find(ranks, false, &streams::RankView::connected);
  all_back_ = missing == ranks.end();
  const nanoseconds lease = base::ToNanoseconds(limits_.lease());
  if (all_back_ || now - launched_ <= lease) return std::nullopt;
  const int rank = static_cast<int>(missing - ranks.begin());
  v1::Failure failure;
  failure.set_cause(v1::FAILURE_CAUSE_RANK_SILENT);
  failure.set_rank(rank);
  failure.set_step(verdict_.step());
  failure.set_message(
      fmt::format("rank {} did not come back within limits.lease = {} of the coordinator's restart",
                  rank, Seconds(lease)));
  return failure;
}

void LiveRun::Judge(Clock::time_point now) {
  const bool stood_still = StoodStill(now);
  if (verdict_.all_finished() || ending_) return;
  if (const auto failure = sessions_->ProtocolFailure()) verdict_.OnFailure(*failure, now);
  if (stood_still) return;
  const std::vector<streams::RankView> ranks = sessions_->Ranks();
  const auto failure = options_.was_connected && !all_back_
                           ? NotBack(ranks, now)
                           : streams::Judge(ranks, limits_, launched_, now);
  if (failure) verdict_.OnFailure(*failure, now);
}

void LiveRun::OnTick() {
  const Clock::time_point now = Clock::now();
  OnInterrupt(now);
  Judge(now);
  if (ending_) return;
  if (const auto failure = verdict_.Settled(now)) {
    End(failure->message(), Force::kAtOnce);
  } else if (verdict_.all_finished() && !Expired(now)) {
    if (!deadline_) deadline_ = now + base::ToNanoseconds(limits_.stop());
  } else if (Expired(now)) {
    if (!verdict_.all_finished()) verdict_.OnFailure(NotStopped(), now);
    End("the ranks did not end in time", Force::kAskOnceMore);
  }
}

std::string LiveRun::Tail(const std::optional<launch::RankExit>& exit) const {
  std::string tail = launch::LogTail(folder_ / "mpirun.log", kTailBytes);
  for (int rank = 0; rank < options_.ranks; ++rank) {
    if (exit && exit->rank != rank) continue;
    const std::string file = fmt::format("rank-{}.log", rank);
    const std::string said = launch::LogTail(folder_ / file, kTailBytes);
    if (!said.empty()) return fmt::format("{}{}:\n{}", tail, file, said);
  }
  return tail;
}

void LiveRun::NameHost(v1::Failure& failure, const std::vector<streams::RankView>& ranks) const {
  const int rank = failure.rank();
  if (rank >= 0 && rank < std::ssize(options_.rank_hosts)) {
    failure.set_host(options_.rank_hosts[rank]);
  } else if (failure.host().empty()) {
    const bool known = rank >= 0 && rank < std::ssize(ranks) && !ranks[rank].host.empty();
    failure.set_host(known ? ranks[rank].host : base::HostName());
  }
}

jobs::RunOutcome LiveRun::Conclude(const absl::StatusOr<v1::ExitRecord>& record) {
  Ending ending;
  ending.ranks = sessions_->Ranks();
  ending.now = Clock::now();
  ending.interrupted = interrupted_;
  if (record.ok()) {
    ending.record = *record;
  } else {
    ending.record.set_exit_status(-1);
    ending.record.set_stop_reason(std::string(record.status().message()));
  }
  ending.rank_exit = launch::FindRankExit(base::ReadFile(folder_ / "mpirun.log").value_or(""));
  ending.log_tail = Tail(ending.rank_exit);
  jobs::RunOutcome outcome = verdict_.Conclude(ending);
  if (outcome.failure.cause() != v1::FAILURE_CAUSE_UNSPECIFIED) {
    NameHost(outcome.failure, ending.ranks);
  }
  return outcome;
}

absl::StatusOr<jobs::RunOutcome> LiveRun::Run() {
  LTML_RETURN_IF_ERROR(Start());
  absl::StatusOr<v1::ExitRecord> record = attempt_->Wait(nanoseconds(0));
  while (absl::IsDeadlineExceeded(record.status())) {
    events_.Run(kTick);
    if (detached_) return absl::CancelledError("the attempt was left to its supervisor");
    OnTick();
    record = attempt_->Wait(nanoseconds(0));
    if (ending_ && Expired(Clock::now())) break;
  }
  const Clock::time_point last_words = Clock::now() + kLastWords;
  while (!verdict_.decided() && Clock::now() < last_words) events_.Run(kTick);
  jobs::RunOutcome outcome = Conclude(record);
  sessions_.reset();
  events_.Run(milliseconds(0));
  if (options_.task.kind() == v1::WorkerTask::KIND_TRAIN) Record(outcome);
  attempt_.reset();
  return outcome;
}

}  // namespace

nanoseconds StopGrace(const v1::Limits& limits) {
  return std::min<nanoseconds>(base::ToNanoseconds(limits.stop()), kLongestGrace);
}

absl::StatusOr<std::unique_ptr<AttemptRun>> AttemptRun::Create(AttemptRunOptions options) {
  auto run = std::make_unique<LiveRun>(std::move(options));
  LTML_RETURN_IF_ERROR(run->Register());
  return run;
}

}  // namespace ltml::coordinator
