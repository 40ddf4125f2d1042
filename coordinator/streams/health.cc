#include "coordinator/streams/health.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

namespace ltml::streams {
namespace {

using Duration = Time::duration;

// Ranks send something every second: differences in silence below this mean nothing.
constexpr std::chrono::seconds kSilenceGrain{5};

Duration ToDuration(const google::protobuf::Duration& proto) {
  return std::chrono::duration_cast<Duration>(std::chrono::seconds(proto.seconds()) +
                                              std::chrono::nanoseconds(proto.nanos()));
}

std::string Seconds(Duration duration) {
  return fmt::format("{:.3g} s", std::chrono::duration<double>(duration).count());
}

const char* PhaseName(v1::Phase phase) {
  switch (phase) {
    case v1::PHASE_WEIGHTS:
      return "weights";
    case v1::PHASE_STEP:
      return "step";
    case v1::PHASE_EVALUATION:
      return "evaluation";
    case v1::PHASE_CHECKPOINT:
      return "checkpoint";
    default:
      return "start";
  }
}

Duration PhaseLimit(v1::Phase phase, const v1::Limits& limits) {
  switch (phase) {
    case v1::PHASE_STEP:
      return ToDuration(limits.step());
    case v1::PHASE_EVALUATION:
      return ToDuration(limits.evaluation());
    case v1::PHASE_CHECKPOINT:
      return ToDuration(limits.checkpoint());
    default:
      return ToDuration(limits.start());
  }
}

v1::Failure FailureOf(v1::FailureCause cause, int rank, const RankView& view) {
  v1::Failure failure;
  failure.set_cause(cause);
  failure.set_rank(rank);
  failure.set_host(view.host);
  failure.set_phase(view.phase);
  failure.set_step(view.step);
  return failure;
}

bool Judged(const RankView& view) { return view.connected && !view.finished; }

std::optional<v1::Failure> JudgeLaunch(const std::vector<RankView>& ranks, Duration limit,
                                       Duration since_launch) {
  std::vector<int> missing;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    if (!ranks[rank].connected) missing.push_back(static_cast<int>(rank));
  }
  if (missing.empty() || since_launch <= limit) return std::nullopt;
  v1::Failure failure =
      FailureOf(v1::FAILURE_CAUSE_LAUNCH, missing.size() == 1 ? missing[0] : -1, RankView{});
  failure.set_message(fmt::format(
      "{} {} of {} did not connect within limits.start = {}: see the rank's log in the attempt's "
      "folder; raise limits.start if its host is only slow",
      missing.size() == 1 ? "rank" : "ranks", fmt::join(missing, ", "), ranks.size(),
      Seconds(limit)));
  return failure;
}

std::optional<v1::Failure> JudgeSilence(const std::vector<RankView>& ranks, Duration lease,
                                        Time now) {
  int silent = -1;
  for (int rank = 0; rank < static_cast<int>(ranks.size()); ++rank) {
    const RankView& view = ranks[rank];
    if (!Judged(view) || now - view.last_message <= lease) continue;
    if (silent < 0 || view.last_message < ranks[silent].last_message) silent = rank;
  }
  if (silent < 0) return std::nullopt;
  const RankView& view = ranks[silent];
  v1::Failure failure = FailureOf(v1::FAILURE_CAUSE_RANK_SILENT, silent, view);
  failure.set_message(fmt::format(
      "rank {} on {} sent nothing for {} (limits.lease = {}), last seen at step {} in phase {}: it "
      "was stopped, or its host or network is gone",
      silent, view.host, Seconds(now - view.last_message), Seconds(lease), view.step,
      PhaseName(view.phase)));
  return failure;
}

bool Stands(const RankView& view, const v1::Limits& limits, Time now) {
  return now - view.last_progress > PhaseLimit(view.phase, limits);
}

// Somebody whom `view` may be waiting for.
bool MayWait(const RankView& view, const std::vector<RankView>& ranks, const v1::Limits& limits,
             Time now) {
  return std::any_of(ranks.begin(), ranks.end(), [&](const RankView& other) {
    return Judged(other) && other.step <= view.step && !Stands(other, limits, now);
  });
}

bool LessFar(const RankView& a, const RankView& b, Time now) {
  if (a.step != b.step) return a.step < b.step;
  if (a.phase == b.phase && a.counter != b.counter) return a.counter < b.counter;
  const auto a_silence = (now - a.last_message) / kSilenceGrain;
  const auto b_silence = (now - b.last_message) / kSilenceGrain;
  if (a_silence != b_silence) return a_silence > b_silence;
  return a.last_progress < b.last_progress;
}

std::optional<v1::Failure> JudgeProgress(const std::vector<RankView>& ranks,
                                         const v1::Limits& limits, Time now) {
  int slowest = -1;
  for (int rank = 0; rank < static_cast<int>(ranks.size()); ++rank) {
    const RankView& view = ranks[rank];
    if (!Judged(view) || !Stands(view, limits, now)) continue;
    if (MayWait(view, ranks, limits, now)) continue;
    if (slowest < 0 || LessFar(view, ranks[slowest], now)) slowest = rank;
  }
  if (slowest < 0) return std::nullopt;
  const RankView& view = ranks[slowest];
  v1::Failure failure = FailureOf(v1::FAILURE_CAUSE_NO_PROGRESS, slowest, view);
  failure.set_message(fmt::format(
      "rank {} on {} made no progress for {} (limit of phase {}: {}) at step {}: it hangs, or the "
      "limit is too short for this machine",
      slowest, view.host, Seconds(now - view.last_progress), PhaseName(view.phase),
      Seconds(PhaseLimit(view.phase, limits)), view.step));
  return failure;
}

}  // namespace

std::optional<v1::Failure> Judge(const std::vector<RankView>& ranks, const v1::Limits& limits,
                                 Time launched, Time now) {
  if (auto failure = JudgeLaunch(ranks, ToDuration(limits.start()), now - launched)) return failure;
  if (auto failure = JudgeSilence(ranks, ToDuration(limits.lease()), now)) return failure;
  return JudgeProgress(ranks, limits, now);
}

}  // namespace ltml::streams
