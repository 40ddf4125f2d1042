#include "worker/train/windows.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "common/base/status_macros.h"

namespace ltml::train {
namespace {

template <typename Part>
absl::Status CheckClasses(const Part& part, int classes, std::string_view name) {
  if (part.classes() == 0 || part.classes() == classes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} of the checkpoint have {} classes, the job has {}: resume with the same data "
                  "set",
                  name, part.classes(), classes));
}

template <typename Part>
Part OrEmpty(const Part& part, int classes) {
  return part.classes() == 0 ? Part(classes) : part;
}

}  // namespace

Windows::Windows(int64_t window_steps, int classes, double decay, GrantSource& grants)
    : window_steps_(window_steps),
      classes_(classes),
      decay_(decay),
      grants_(grants),
      totals_in_force_(classes),
      previous_(classes),
      open_(classes),
      resumed_previous_(classes),
      resumed_open_(classes) {}

absl::StatusOr<const Grant*> Windows::Enter(int64_t step, std::chrono::nanoseconds timeout) {
  const int64_t window = step / window_steps_;
  if (window == entered_) return nullptr;
  if (entered_ >= 0) {
    grants_.Report(entered_, open_);
    std::swap(previous_, open_);
    open_.Clear();
    resumed_previous_ = std::exchange(resumed_open_, statistics::WindowSums(classes_));
  }
  LTML_ASSIGN_OR_RETURN(Grant grant, grants_.Await(window, timeout));
  if (grant.window != window || grant.end_step <= step) {
    return absl::InternalError(
        fmt::format("step {} lies in window {}, but the grant is for window {}, steps [{}, {})",
                    step, window, grant.window, grant.first_step, grant.end_step));
  }
  grant_ = std::move(grant);
  totals_in_force_ = OrEmpty(grant_.totals, classes_);
  entered_ = window;
  return &grant_;
}

absl::StatusOr<StatisticsSnapshot> Windows::Snapshot(int64_t step, Collective& collective,
                                                     std::chrono::nanoseconds timeout) const {
  std::vector<int64_t> sums = previous_.Flatten();
  const std::vector<int64_t> open_sums = open_.Flatten();
  const size_t half = sums.size();
  sums.insert(sums.end(), open_sums.begin(), open_sums.end());
  LTML_RETURN_IF_ERROR(collective.AllReduceSum(BufferOf(std::span<int64_t>(sums)), timeout));
  const std::span<const int64_t> flat = sums;
  statistics::WindowSums previous = statistics::WindowSums::FromFlat(flat.first(half), classes_);
  statistics::WindowSums open = statistics::WindowSums::FromFlat(flat.subspan(half), classes_);
  previous.Merge(resumed_previous_);
  open.Merge(resumed_open_);

  StatisticsSnapshot snapshot{.step = step,
                              .totals_in_force = totals_in_force_,
                              .previous_window = std::move(previous),
                              .open_window = std::move(open)};
  const bool next_not_entered = entered_ >= 0 && step / window_steps_ > entered_;
  if (next_not_entered) {
    if (entered_ >= 1) snapshot.totals_in_force.Fold(snapshot.previous_window, decay_);
    snapshot.previous_window =
        std::exchange(snapshot.open_window, statistics::WindowSums(classes_));
  }
  return snapshot;
}

absl::Status Windows::Restore(const StatisticsSnapshot& snapshot) {
  LTML_RETURN_IF_ERROR(CheckClasses(snapshot.totals_in_force, classes_, "totals"));
  LTML_RETURN_IF_ERROR(
      CheckClasses(snapshot.previous_window, classes_, "sums of the window before"));
  LTML_RETURN_IF_ERROR(CheckClasses(snapshot.open_window, classes_, "sums of the open window"));
  totals_in_force_ = OrEmpty(snapshot.totals_in_force, classes_);
  resumed_previous_ = OrEmpty(snapshot.previous_window, classes_);
  resumed_open_ = OrEmpty(snapshot.open_window, classes_);
  return absl::OkStatus();
}

}  // namespace ltml::train
