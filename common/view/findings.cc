#include "common/view/findings.h"

#include <algorithm>
#include <tuple>

namespace ltml::view {
namespace {

constexpr double kStragglerWork = 1.2;
constexpr double kNoticedWait = 0.05;

std::optional<double> PrecisionBefore(const v1::ClassView& one, int before) {
  const int index = one.average_precision_size() - 1 - before;
  if (index < 0 || one.average_precision(index) < 0) return std::nullopt;
  return one.average_precision(index);
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

std::optional<double> Precision(const v1::ClassView& one) { return PrecisionBefore(one, 0); }

std::optional<double> PrecisionChange(const v1::ClassView& one) {
  const auto now = PrecisionBefore(one, 0), before = PrecisionBefore(one, 1);
  if (!now || !before) return std::nullopt;
  return *now - *before;
}

std::vector<const v1::ClassView*> Weakest(const v1::RunView& view, size_t count) {
  std::vector<const v1::ClassView*> classes;
  for (const v1::ClassView& one : view.classes()) {
    if (Precision(one)) classes.push_back(&one);
  }
  const auto key = [](const v1::ClassView* one) {
    return std::tuple(*Precision(*one), one->train_positives());
  };
  std::ranges::stable_sort(classes, {}, key);
  classes.resize(std::min(classes.size(), count));
  return classes;
}

StepTime StepTimeOf(const v1::RankStatus& rank) {
  const v1::RankTimes& times = rank.recent_times().steps() > 0 ? rank.recent_times() : rank.times();
  if (times.steps() <= 0) return {};
  const auto steps = static_cast<double>(times.steps());
  return {.compute = times.compute_seconds() / steps,
          .data_wait = times.data_wait_seconds() / steps,
          .collective_wait = times.collective_wait_seconds() / steps,
          .grant_wait = times.grant_wait_seconds() / steps};
}

std::optional<Straggler> FindStraggler(const std::vector<v1::RankStatus>& ranks) {
  if (ranks.size() < 2) return std::nullopt;
  const auto slowest = std::ranges::max_element(
      ranks, {}, [](const v1::RankStatus& rank) { return StepTimeOf(rank).work(); });
  std::vector<double> work, wait_shares;
  for (const v1::RankStatus& rank : ranks) {
    if (&rank == &*slowest) continue;
    const StepTime time = StepTimeOf(rank);
    if (!(time.total() > 0)) return std::nullopt;
    work.push_back(time.work());
    wait_shares.push_back(time.collective_wait / time.total());
  }
  const double others = Median(work);
  const double times_others = others > 0 ? StepTimeOf(*slowest).work() / others : 1;
  if (times_others < kStragglerWork || Median(wait_shares) < kNoticedWait) return std::nullopt;
  return Straggler{.rank = slowest->rank(), .times_others = times_others};
}

double ImagesOfStep(const v1::JobSpec& spec) {
  const int streams = spec.model().branches() == v1::Model::BRANCHES_BOTH ? 2 : 1;
  return static_cast<double>(streams) * spec.streams().global_batch();
}

std::optional<double> SecondsLeft(const v1::Job& job) {
  const double rate = job.metrics().images_per_second();
  if (job.state() != v1::JOB_STATE_RUNNING || !(rate > 0)) return std::nullopt;
  const auto steps = static_cast<double>(job.spec().schedule().steps() - job.step());
  return std::max(steps, 0.0) * ImagesOfStep(job.spec()) / rate;
}

}  // namespace ltml::view
