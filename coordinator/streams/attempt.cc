#include "coordinator/streams/attempt.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/base/token_digest.h"

namespace ltml::streams {
namespace {

using statistics::Branch;
using statistics::DecayedTotals;
using statistics::Sign;
using statistics::WindowSums;

template <typename... Args>
absl::Status Broken(fmt::format_string<Args...> format, Args&&... args) {
  return absl::FailedPreconditionError(fmt::format(format, std::forward<Args>(args)...));
}

bool HasImages(const WindowSums& sums) {
  if (sums.classes() == 0) return false;
  for (Branch branch : {statistics::kUniform, statistics::kRebalanced}) {
    for (Sign sign : {statistics::kPositive, statistics::kNegative}) {
      const std::vector<int64_t>& n = sums.at(branch, sign).n;
      if (std::any_of(n.begin(), n.end(), [](int64_t count) { return count != 0; })) return true;
    }
  }
  return false;
}

template <typename Part>
absl::Status FillPart(const char* name, int classes, bool may_miss, Part& part) {
  if (part.classes() == classes) return absl::OkStatus();
  if (part.classes() != 0 || !may_miss) {
    return Broken(
        "rank 0 resumes with {} classes in {}, the job has {}: is the checkpoint of "
        "this job?",
        part.classes(), name, classes);
  }
  part = Part(classes);
  return absl::OkStatus();
}

absl::StatusOr<Resume> Normalised(Resume resume, const AttemptOptions& options) {
  if (resume.step < 0 || resume.step > options.steps) {
    return Broken("rank 0 resumes after step {}, the job has {} steps: raise schedule.steps",
                  resume.step, options.steps);
  }
  const int64_t window = resume.step / options.window;
  LTML_RETURN_IF_ERROR(
      FillPart("the totals in force", options.classes, window < 2, resume.totals_in_force));
  LTML_RETURN_IF_ERROR(FillPart("the sums of the previous window", options.classes, window == 0,
                                resume.previous_window));
  const bool at_border = resume.step % options.window == 0;
  LTML_RETURN_IF_ERROR(
      FillPart("the sums of the open window", options.classes, at_border, resume.open_window));
  if (window == 0 && HasImages(resume.previous_window)) {
    return Broken("rank 0 resumes inside window 0 with sums of a window before it");
  }
  if (at_border && HasImages(resume.open_window)) {
    return Broken("rank 0 resumes after step {}, where window {} begins, with sums of that window",
                  resume.step, window);
  }
  return resume;
}

bool Same(const Resume& a, const Resume& b) {
  return a.step == b.step && a.totals_in_force == b.totals_in_force &&
         a.previous_window == b.previous_window && a.open_window == b.open_window;
}

}  // namespace

std::string DigestOf(const WindowSums& sums) {
  const std::vector<int64_t> numbers = sums.Flatten();
  return base::Sha256().Update(std::as_bytes(std::span(numbers))).HexDigest();
}

AttemptStreams::AttemptStreams(const AttemptOptions& options)
    : options_(options), ranks_(options.world_size), latest_(options.classes) {}

absl::StatusOr<Outcome> AttemptStreams::OnHello(int rank, const std::optional<Resume>& resume) {
  if (rank < 0 || rank >= options_.world_size) {
    return absl::InvalidArgumentError(fmt::format(
        "rank {} is not one of the {} ranks of this attempt", rank, options_.world_size));
  }
  const bool starts = rank == 0 && !started_;
  if (rank == 0) LTML_RETURN_IF_ERROR(Start(resume));
  ranks_[rank].hello = true;
  Outcome outcome;
  outcome.starts = starts;
  if (!started_) return outcome;
  for (int other = 0; other < options_.world_size; ++other) {
    if (other == rank || (starts && ranks_[other].hello)) GrantTo(other, outcome.deliveries);
  }
  return outcome;
}

absl::Status AttemptStreams::Start(const std::optional<Resume>& resume) {
  LTML_ASSIGN_OR_RETURN(Resume start, Normalised(resume.value_or(Resume{}), options_));
  if (started_) {
    if (Same(start, start_)) return absl::OkStatus();
    return Broken("rank 0 said hello again with another state to resume from (step {}, before {})",
                  start.step, start_.step);
  }
  const int64_t window = start.step / options_.window;
  newest_ = window - 1;
  versions_[window - 2] = start.totals_in_force;
  DecayedTotals& previous = versions_[window - 1] = start.totals_in_force;
  if (window > 0) previous.Fold(start.previous_window, options_.decay);
  for (RankState& rank : ranks_) rank.next_window = window;
  start_ = std::move(start);
  started_ = true;
  UpdateLatest();
  return absl::OkStatus();
}

absl::Status AttemptStreams::CheckSender(int rank, const WindowSums& sums) const {
  if (rank < 0 || rank >= options_.world_size || !ranks_[rank].hello || !started_) {
    return Broken("rank {} sent sums of a window before the attempt has started", rank);
  }
  return CheckClasses(rank, sums);
}

absl::Status AttemptStreams::CheckClasses(int rank, const WindowSums& sums) const {
  if (sums.classes() != options_.classes) {
    return Broken("rank {} sent sums of {} classes, the job has {}", rank, sums.classes(),
                  options_.classes);
  }
  return absl::OkStatus();
}

absl::Status AttemptStreams::CheckNext(int rank, int64_t window) const {
  const int64_t next = ranks_[rank].next_window;
  if (window == next && window <= LastGranted() && Exists(window)) return absl::OkStatus();
  return Broken("rank {} sent sums of window {}, expected window {} (granted: up to {})", rank,
                window, next, LastGranted());
}

absl::StatusOr<Outcome> AttemptStreams::OnReport(int rank, int64_t window, const WindowSums& sums) {
  LTML_RETURN_IF_ERROR(CheckSender(rank, sums));
  return Take(rank, window, sums);
}

absl::StatusOr<Outcome> AttemptStreams::Take(int rank, int64_t window, const WindowSums& sums) {
  RankState& state = ranks_[rank];
  if (window < state.next_window) return Repeat(rank, window, sums);
  LTML_RETURN_IF_ERROR(CheckNext(rank, window));
  if (!Whole(window)) {
    return Broken(
        "rank {} reported window {}, which ends early at step {}: its sums belong into "
        "`finished`",
        rank, window, options_.steps);
  }
  state.sums[window] = sums;
  state.next_window = window + 1;
  return FoldComplete();
}

absl::StatusOr<Outcome> AttemptStreams::Repeat(int rank, int64_t window,
                                               const WindowSums& sums) const {
  const RankState& state = ranks_[rank];
  const auto stored = state.sums.find(window);
  const auto digest = state.digests.find(window);
  if (stored == state.sums.end() && digest == state.digests.end()) {
    return Broken(
        "rank {} reported window {} again, which is older than what is kept (window {} "
        "is the last one folded)",
        rank, window, newest_);
  }
  const bool same =
      stored == state.sums.end() ? digest->second == DigestOf(sums) : stored->second == sums;
  if (!same) {
    return Broken("rank {} reported window {} again with different sums", rank, window);
  }
  Outcome outcome;
  if (window <= newest_ && Exists(window + 2)) {
    outcome.deliveries.push_back({rank, Grant(window + 2)});
  }
  return outcome;
}

absl::StatusOr<Outcome> AttemptStreams::OnFinished(int rank, int64_t step, int64_t window,
                                                   const WindowSums& sums) {
  LTML_RETURN_IF_ERROR(CheckSender(rank, sums));
  return End(rank, step, window, sums);
}

absl::StatusOr<Outcome> AttemptStreams::End(int rank, int64_t step, int64_t window,
                                            const WindowSums& sums) {
  RankState& state = ranks_[rank];
  if (HasImages(sums)) {
    if (window < state.next_window) return Repeat(rank, window, sums);
    LTML_RETURN_IF_ERROR(CheckNext(rank, window));
    if (step / options_.window > window) return Take(rank, window, sums);
    if (step / options_.window < window) {
      return Broken("rank {} finished after step {} with sums of window {}", rank, step, window);
    }
  }
  state.open = sums;
  UpdateLatest();
  return Outcome{};
}

bool AttemptStreams::Complete(int64_t window) const {
  return std::all_of(ranks_.begin(), ranks_.end(),
                     [&](const RankState& rank) { return rank.next_window > window; });
}

Outcome AttemptStreams::FoldComplete() {
  Outcome outcome;
  while (Complete(newest_ + 1)) {
    outcome.folded.push_back(Fold(newest_ + 1));
    if (!Exists(LastGranted())) continue;
    const WindowGrant grant = Grant(LastGranted());
    for (int rank = 0; rank < options_.world_size; ++rank) {
      outcome.deliveries.push_back({rank, grant});
    }
  }
  return outcome;
}

FoldedWindow AttemptStreams::Fold(int64_t window) {
  FoldedWindow folded{.window = window, .rank_digests = {}, .totals = versions_.at(window - 1)};
  WindowSums global = Seed(window);
  for (RankState& rank : ranks_) {
    const auto sums = rank.sums.find(window);
    global.Merge(sums->second);
    folded.rank_digests.push_back(rank.digests[window] = DigestOf(sums->second));
    rank.sums.erase(sums);
  }
  folded.totals.Fold(global, options_.decay);
  versions_[window] = folded.totals;
  newest_ = window;
  ForgetOld();
  UpdateLatest();
  return folded;
}

absl::Status AttemptStreams::Restore(const std::optional<Resume>& start,
                                     std::vector<FoldedWindow> windows) {
  LTML_RETURN_IF_ERROR(Start(start));
  const bool whole = windows.empty() || windows.front().window == newest_ + 1;
  if (!whole && std::ssize(windows) < kStoredVersions) {
    return Broken("the record holds windows from {} on, expected {} or {} of them",
                  windows.front().window, newest_ + 1, kStoredVersions);
  }
  for (size_t i = 0; i < windows.size(); ++i) {
    const int64_t expected = i == 0 ? std::max(windows[0].window, newest_ + 1) : newest_ + 1;
    if (windows[i].window != expected) {
      return Broken("the record holds window {}, expected {}", windows[i].window, expected);
    }
    LTML_RETURN_IF_ERROR(CheckFolded(windows[i]));
    Refold(std::move(windows[i]));
  }
  UpdateLatest();
  return absl::OkStatus();
}

absl::Status AttemptStreams::CheckFolded(const FoldedWindow& folded) const {
  if (!Exists(folded.window) || !Whole(folded.window)) {
    return Broken("the record holds window {}, which this run of {} steps does not fold",
                  folded.window, options_.steps);
  }
  if (std::ssize(folded.rank_digests) != options_.world_size) {
    return Broken("the record of window {} is of {} ranks, the attempt has {}", folded.window,
                  folded.rank_digests.size(), options_.world_size);
  }
  if (folded.totals.classes() != options_.classes) {
    return Broken("the record of window {} has {} classes, the job has {}", folded.window,
                  folded.totals.classes(), options_.classes);
  }
  for (const std::string& digest : folded.rank_digests) {
    if (base::IsDigestText(digest)) continue;
    return Broken("the record of window {} holds '{}', which is no digest", folded.window, digest);
  }
  return absl::OkStatus();
}

void AttemptStreams::Refold(FoldedWindow folded) {
  newest_ = folded.window;
  versions_[newest_] = std::move(folded.totals);
  for (int rank = 0; rank < options_.world_size; ++rank) {
    ranks_[rank].digests[newest_] = std::move(folded.rank_digests[rank]);
    ranks_[rank].next_window = newest_ + 1;
  }
  ForgetOld();
}

absl::Status AttemptStreams::RestoreFinished(int rank,
                                             const std::map<int64_t, WindowSums>& unfolded,
                                             const std::optional<LastSums>& last) {
  if (rank < 0 || rank >= options_.world_size || !started_) {
    return Broken("the record says that rank {} finished, which is none of {} that started", rank,
                  options_.world_size);
  }
  for (const auto& [window, sums] : unfolded) {
    if (window <= newest_) continue;
    LTML_RETURN_IF_ERROR(CheckClasses(rank, sums));
    LTML_RETURN_IF_ERROR(Take(rank, window, sums).status());
  }
  if (!last.has_value()) return absl::OkStatus();
  LTML_RETURN_IF_ERROR(CheckClasses(rank, last->sums));
  return End(rank, last->step, last->window, last->sums).status();
}

std::map<int64_t, WindowSums> AttemptStreams::Unfolded(int rank) const {
  return ranks_.at(rank).sums;
}

void AttemptStreams::ForgetOld() {
  const int64_t oldest = newest_ - kStoredVersions + 1;
  versions_.erase(versions_.begin(), versions_.lower_bound(oldest));
  for (RankState& rank : ranks_) {
    rank.digests.erase(rank.digests.begin(), rank.digests.lower_bound(oldest));
  }
}

void AttemptStreams::UpdateLatest() {
  latest_ = versions_.at(newest_);
  const int64_t open = newest_ + 1;
  const bool ended = std::all_of(ranks_.begin(), ranks_.end(), [&](const RankState& rank) {
    return rank.open.has_value() && rank.next_window == open;
  });
  if (!ended && start_.step < options_.steps) return;
  WindowSums global = Seed(open);
  for (const RankState& rank : ranks_) {
    if (rank.open.has_value()) global.Merge(*rank.open);
  }
  if (HasImages(global)) latest_.Fold(global, options_.decay);
}

bool AttemptStreams::Exists(int64_t window) const {
  return start_.step < options_.steps && window >= 0 &&
         window <= (options_.steps - 1) / options_.window;
}

bool AttemptStreams::Whole(int64_t window) const {
  return (window + 1) * options_.window <= options_.steps;
}

WindowSums AttemptStreams::Seed(int64_t window) const {
  if (window == start_.step / options_.window) return start_.open_window;
  return WindowSums(options_.classes);
}

statistics::Compensation AttemptStreams::CompensationOf(int64_t version) const {
  if (!options_.compensate || version < 0) {
    return statistics::Compensation::Neutral(options_.classes);
  }
  return statistics::Compensate(versions_.at(version), options_.prior, options_.form);
}

std::optional<statistics::Compensation> AttemptStreams::latest_compensation() const {
  if (!options_.compensate || !started_) return std::nullopt;
  return CompensationOf(newest_);
}

WindowGrant AttemptStreams::Grant(int64_t window) const {
  WindowGrant grant;
  grant.window = window;
  grant.first_step = window * options_.window;
  grant.end_step = std::min(grant.first_step + options_.window, options_.steps);
  grant.version = window - 2;
  grant.totals = versions_.at(grant.version);
  grant.compensation = CompensationOf(grant.version);
  return grant;
}

void AttemptStreams::GrantTo(int rank, std::vector<Delivery>& deliveries) const {
  for (int64_t window : {newest_ + 1, newest_ + 2}) {
    if (Exists(window)) deliveries.push_back({rank, Grant(window)});
  }
}

}  // namespace ltml::streams
