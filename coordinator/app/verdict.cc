#include "coordinator/app/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ltml::coordinator {
namespace {

using std::chrono::duration;

// How long an effect waits for its cause.
constexpr std::chrono::seconds kSettle(1);
// Ranks speak every second: one that has not for this long had stopped before its neighbours
// failed.
constexpr std::chrono::seconds kSilence(3);
// A rank's exit status when it ends itself because its lease ran out.
constexpr int kLeaseExit = 75;

bool IsEffect(v1::FailureCause cause) {
  return cause == v1::FAILURE_CAUSE_COLLECTIVE || cause == v1::FAILURE_CAUSE_COORDINATOR_LOST;
}

// The first rank whose session broke, else the first that did not finish, else -1.
int FirstGone(const std::vector<streams::RankView>& ranks) {
  auto gone = std::ranges::find_if(ranks, &streams::RankView::lost);
  if (gone == ranks.end()) gone = std::ranges::find(ranks, false, &streams::RankView::finished);
  return gone == ranks.end() ? -1 : static_cast<int>(gone - ranks.begin());
}

std::string WithTail(std::string message, const std::string& tail) {
  return tail.empty() ? message : fmt::format("{}; it said last:\n{}", message, tail);
}

}  // namespace

Verdict::Verdict(int ranks, std::string host) : host_(std::move(host)), finished_(ranks, false) {}

void Verdict::OnFailure(const v1::Failure& failure, streams::Time now) {
  if (!IsEffect(failure.cause())) {
    if (!first_cause_) first_cause_ = failure;
  } else if (!first_effect_) {
    first_effect_ = failure;
    effect_since_ = now;
  }
}

void Verdict::OnFinished(int rank, const v1::Finished& finished) {
  if (rank < 0 || rank >= std::ssize(finished_)) return;
  finished_[rank] = true;
  stopped_ = stopped_ || finished.stopped();
  OnStep(finished.step());
}

void Verdict::OnStep(int64_t step) { step_ = std::max(step_, step); }

bool Verdict::all_finished() const {
  return std::ranges::all_of(finished_, [](bool finished) { return finished; });
}

std::optional<v1::Failure> Verdict::Settled(streams::Time now) const {
  if (all_finished()) return std::nullopt;
  if (first_cause_) return first_cause_;
  return first_effect_ && now - effect_since_ >= kSettle ? first_effect_ : std::nullopt;
}

jobs::RunOutcome Verdict::Conclude(const Ending& ending) const {
  jobs::RunOutcome outcome;
  outcome.step = step_;
  if (all_finished()) {
    outcome.kind = stopped_ ? jobs::RunOutcome::Kind::kStopped : jobs::RunOutcome::Kind::kSucceeded;
    return outcome;
  }
  if (ending.record.not_started()) {
    outcome.kind = jobs::RunOutcome::Kind::kNotStarted;
    outcome.failure.set_rank(-1);
    outcome.failure.set_step(step_);
    outcome.failure.set_message("the attempt was given up before its ranks were started");
    return outcome;
  }
  if (ending.interrupted && !first_cause_) {
    outcome.kind = jobs::RunOutcome::Kind::kStopped;
    outcome.failure.set_rank(-1);
    outcome.failure.set_step(step_);
    outcome.failure.set_message("ended at once, without a checkpoint of the last steps");
    return outcome;
  }
  outcome.kind = jobs::RunOutcome::Kind::kFailed;
  outcome.failure = FailureOf(ending);
  return outcome;
}

v1::Failure Verdict::FailureOf(const Ending& ending) const {
  if (first_cause_) {
    v1::Failure failure = *first_cause_;
    if (failure.cause() == v1::FAILURE_CAUSE_LAUNCH) {
      failure.set_message(WithTail(failure.message(), ending.log_tail));
    }
    return failure;
  }
  if (const auto failure = KilledLauncher(ending)) return *failure;
  if (const auto failure = KilledRank(ending)) return *failure;
  if (const auto failure = SilentRank(ending)) return *failure;
  if (first_effect_) return *first_effect_;
  return VanishedRank(ending);
}

std::optional<v1::Failure> Verdict::KilledLauncher(const Ending& ending) const {
  if (ending.record.exit_status() < 0) {
    return About(-1, ending, v1::FAILURE_CAUSE_LAUNCH, ending.record.stop_reason());
  }
  if (ending.record.signal() == 0 || !ending.record.stop_reason().empty()) return std::nullopt;
  return About(-1, ending, v1::FAILURE_CAUSE_LAUNCH,
               fmt::format("mpirun was killed by signal {}", ending.record.signal()));
}

std::optional<v1::Failure> Verdict::KilledRank(const Ending& ending) const {
  if (!ending.rank_exit || ending.rank_exit->signal == 0) return std::nullopt;
  if (!ending.record.stop_reason().empty() && !first_effect_) return std::nullopt;
  const int rank = ending.rank_exit->rank;
  if (first_effect_ && first_effect_->rank() == rank) return std::nullopt;
  return About(
      rank, ending, v1::FAILURE_CAUSE_RANK_LOST,
      WithTail(fmt::format("rank {} was ended by signal {}", rank, ending.rank_exit->signal),
               ending.log_tail));
}

std::optional<v1::Failure> Verdict::SilentRank(const Ending& ending) const {
  if (!first_effect_) return std::nullopt;
  for (int rank = 0; rank < std::ssize(ending.ranks); ++rank) {
    const streams::RankView& view = ending.ranks[rank];
    if (!view.connected || view.finished || rank == first_effect_->rank()) continue;
    const auto silence = effect_since_ - view.last_message;
    if (silence < kSilence) continue;
    return About(rank, ending, v1::FAILURE_CAUSE_RANK_SILENT,
                 fmt::format("rank {} had said nothing for {:.1f} s when rank {} failed ({})", rank,
                             duration<double>(silence).count(), first_effect_->rank(),
                             first_effect_->message()));
  }
  return std::nullopt;
}

v1::Failure Verdict::VanishedRank(const Ending& ending) const {
  const bool connected = std::ranges::any_of(ending.ranks, &streams::RankView::connected);
  const std::string status =
      ending.rank_exit
          ? fmt::format("ended with status {}", ending.rank_exit->exit_status)
          : fmt::format("is gone (mpirun ended with status {})", ending.record.exit_status());
  if (!connected) {
    const int rank = ending.rank_exit ? ending.rank_exit->rank : -1;
    return About(
        rank, ending, v1::FAILURE_CAUSE_LAUNCH,
        WithTail(fmt::format("no rank came up: {} {}",
                             rank < 0 ? "everything" : fmt::format("rank {}", rank), status),
                 ending.log_tail));
  }
  int rank = ending.rank_exit ? ending.rank_exit->rank : -1;
  if (rank < 0) rank = FirstGone(ending.ranks);
  const bool lease = ending.rank_exit && ending.rank_exit->exit_status == kLeaseExit;
  return About(
      rank, ending, lease ? v1::FAILURE_CAUSE_COORDINATOR_LOST : v1::FAILURE_CAUSE_RANK_LOST,
      WithTail(fmt::format("rank {} {} without saying why", rank, status), ending.log_tail));
}

v1::Failure Verdict::About(int rank, const Ending& ending, v1::FailureCause cause,
                           std::string message) const {
  v1::Failure failure;
  failure.set_cause(cause);
  failure.set_rank(rank);
  failure.set_host(host_);
  failure.set_step(step_);
  failure.set_message(std::move(message));
  if (rank < 0 || rank >= std::ssize(ending.ranks)) return failure;
  const streams::RankView& view = ending.ranks[rank];
  if (!view.host.empty()) failure.set_host(view.host);
  if (!view.connected) return failure;
  failure.set_phase(view.phase);
  failure.set_step(view.step);
  return failure;
}

}  // namespace ltml::coordinator
