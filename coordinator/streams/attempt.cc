#include "coordinator/streams/attempt.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"

namespace ltml::streams {
namespace {

using statistics::Branch;
using statistics::DecayedTotals;
using statistics::Sign;
using statistics::WindowSums;

constexpr int64_t kStoredVersions = 3;

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

AttemptStreams::AttemptStreams(const AttemptOptions& options)
    : options_(options), ranks_(options.world_size), latest_(options.classes) {}

absl::StatusOr<std::vector<Delivery>> AttemptStreams::OnHello(int rank,
                                                              const std::optional<Resume>& resume) {
  if (rank < 0 || rank >= options_.world_size) {
    return absl::InvalidArgumentError(fmt::format(
        "rank {} is not one of the {} ranks of this attempt", rank, options_.world_size));
  }
  const bool starts = rank == 0 && !started_;
  if (rank == 0) LTML_RETURN_IF_ERROR(Start(resume));
  ranks_[rank].hello = true;
  std::vector<Delivery> deliveries;
  if (!started_) return deliveries;
  for (int other = 0; other < options_.world_size; ++other) {
    if (other == rank || (starts && ranks_[other].hello)) GrantTo(other, deliveries);
  }
  return deliveries;
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

absl::StatusOr<std::vector<Delivery>> AttemptStreams::OnReport(int rank, int64_t window,
                                                               const WindowSums& sums) {
  LTML_RETURN_IF_ERROR(CheckSender(rank, sums));
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

absl::StatusOr<std::vector<Delivery>> AttemptStreams::Repeat(int rank, int64_t window,
                                                             const WindowSums& sums) const {
  const auto stored = ranks_[rank].sums.find(window);
  if (stored == ranks_[rank].sums.end()) {
    return Broken(
        "rank {} reported window {} again, which is older than the sums kept (window {} "
        "is the last one folded)",
        rank, window, newest_);
  }
  if (stored->second != sums) {
    return Broken("rank {} reported window {} again with different sums", rank, window);
  }
  std::vector<Delivery> deliveries;
  if (window <= newest_ && Exists(window + 2)) deliveries.push_back({rank, Grant(window + 2)});
  return deliveries;
}

absl::StatusOr<std::vector<Delivery>> AttemptStreams::OnFinished(int rank, int64_t step,
                                                                 int64_t window,
                                                                 const WindowSums& sums) {
  LTML_RETURN_IF_ERROR(CheckSender(rank, sums));
  RankState& state = ranks_[rank];
  if (HasImages(sums)) {
    if (window < state.next_window) return Repeat(rank, window, sums);
    LTML_RETURN_IF_ERROR(CheckNext(rank, window));
    if (step / options_.window > window) return OnReport(rank, window, sums);
    if (step / options_.window < window) {
      return Broken("rank {} finished after step {} with sums of window {}", rank, step, window);
    }
  }
  state.open = sums;
  UpdateLatest();
  return std::vector<Delivery>{};
}

bool AttemptStreams::Complete(int64_t window) const {
  return std::all_of(ranks_.begin(), ranks_.end(),
                     [&](const RankState& rank) { return rank.next_window > window; });
}

std::vector<Delivery> AttemptStreams::FoldComplete() {
  std::vector<Delivery> deliveries;
  while (Complete(newest_ + 1)) {
    Fold(newest_ + 1);
    if (!Exists(LastGranted())) continue;
    const WindowGrant grant = Grant(LastGranted());
    for (int rank = 0; rank < options_.world_size; ++rank) deliveries.push_back({rank, grant});
  }
  return deliveries;
}

void AttemptStreams::Fold(int64_t window) {
  WindowSums global = Seed(window);
  for (const RankState& rank : ranks_) global.Merge(rank.sums.at(window));
  DecayedTotals totals = versions_.at(window - 1);
  totals.Fold(global, options_.decay);
  versions_[window] = std::move(totals);
  newest_ = window;
  ForgetOld();
  UpdateLatest();
}

void AttemptStreams::ForgetOld() {
  const int64_t oldest = newest_ - kStoredVersions + 1;
  versions_.erase(versions_.begin(), versions_.lower_bound(oldest));
  for (RankState& rank : ranks_) {
    rank.sums.erase(rank.sums.begin(), rank.sums.lower_bound(oldest));
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

WindowGrant AttemptStreams::Grant(int64_t window) const {
  WindowGrant grant;
  grant.window = window;
  grant.first_step = window * options_.window;
  grant.end_step = std::min(grant.first_step + options_.window, options_.steps);
  grant.version = window - 2;
  grant.totals = versions_.at(grant.version);
  grant.compensation = options_.compensate && grant.version >= 0
                           ? statistics::Compensate(grant.totals, options_.prior, options_.form)
                           : statistics::Compensation::Neutral(options_.classes);
  return grant;
}

void AttemptStreams::GrantTo(int rank, std::vector<Delivery>& deliveries) const {
  for (int64_t window : {newest_ + 1, newest_ + 2}) {
    if (Exists(window)) deliveries.push_back({rank, Grant(window)});
  }
}

}  // namespace ltml::streams
