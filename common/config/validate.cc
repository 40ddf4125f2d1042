#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <string>
#include <vector>

#include "common/config/job_file.h"
#include "common/statistics/statistics.h"

namespace ltml::config {
namespace {

using Messages = std::vector<std::string>;

void CheckName(const v1::JobSpec& job, Messages* faults) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  };
  const std::string& name = job.name();
  if (!name.empty() && name.size() <= 100 && name[0] != '.' &&
      std::all_of(name.begin(), name.end(), allowed)) {
    return;
  }
  faults->push_back(fmt::format(
      "name: got {:?}, expected 1 to 100 letters, digits, '-', '_' or '.', not starting with '.'",
      name));
}

void CheckRanks(const v1::JobSpec& job, Messages* faults) {
  const int64_t ranks = job.resources().ranks();
  const int64_t batch = job.streams().global_batch();
  if (ranks > batch) {
    faults->push_back(fmt::format(
        "resources.ranks: got {} ranks, expected at most streams.global_batch = {}, so that every "
        "rank has an image in every step; use fewer ranks or a larger batch",
        ranks, batch));
  }
}

void CheckWindow(const v1::JobSpec& job, Messages* faults) {
  const int64_t window = job.loss().statistics_window();
  const int64_t batch = job.streams().global_batch();
  if (statistics::CheckWindow(window, batch).ok()) return;
  faults->push_back(fmt::format(
      "loss.statistics_window: got {} steps of streams.global_batch = {}, together {} images, "
      "expected fewer than {} so that the sums of a window stay exact; use a shorter window",
      window, batch, window * batch, 1 << 21));
}

// The smallest slice of a rank, times the pixels of the last map: what one channel is normalised
// over.  A single value has no variance.
void CheckNormalisation(const v1::JobSpec& job, Messages* faults) {
  const int64_t ranks = job.resources().ranks();
  const int64_t slice = job.streams().global_batch() / std::max<int64_t>(1, ranks);
  const int64_t side = (job.model().image_size() + 31) / 32;
  const bool together =
      job.model().branches() == v1::Model::BRANCHES_BOTH && !job.model().separate_bn_statistics();
  if (slice < 1 || slice * (together ? 2 : 1) * side * side > 1) return;
  faults->push_back(
      fmt::format("streams.global_batch: got {} with resources.ranks = {} and model.image_size = "
                  "{}, which leaves "
                  "batch norm a single value in the last map of a rank, expected at least 2; use "
                  "fewer ranks, a "
                  "larger batch or larger images",
                  job.streams().global_batch(), ranks, job.model().image_size()));
}

// Two entries, the first not above the second.
void CheckPair(std::string_view path, const google::protobuf::RepeatedField<double>& pair,
               Messages* faults) {
  if (pair.size() != 2) {
    faults->push_back(
        fmt::format("{}: got {} entries, expected 2: smallest and largest", path, pair.size()));
  } else if (pair[0] > pair[1]) {
    faults->push_back(
        fmt::format("{}: got [{}, {}], expected the smaller one first", path, pair[0], pair[1]));
  }
}

void CheckBetas(const v1::JobSpec& job, Messages* faults) {
  const auto& betas = job.optimizer().betas();
  if (betas.size() == 2 && betas[0] < 1 && betas[1] < 1) return;
  faults->push_back(fmt::format("optimizer.betas: got [{}], expected 2 numbers from 0 to below 1",
                                fmt::join(betas.begin(), betas.end(), ", ")));
}

void CheckSchedule(const v1::JobSpec& job, Messages* faults) {
  const v1::Schedule& schedule = job.schedule();
  const auto& milestones = schedule.milestones();
  if (std::adjacent_find(milestones.begin(), milestones.end(), std::greater_equal<>()) !=
      milestones.end()) {
    faults->push_back(fmt::format("schedule.milestones: got [{}], expected shares that ascend",
                                  fmt::join(milestones.begin(), milestones.end(), ", ")));
  }
  if (schedule.warmup_steps() > schedule.steps()) {
    faults->push_back(
        fmt::format("schedule.warmup_steps: got {}, expected at most schedule.steps = {}",
                    schedule.warmup_steps(), schedule.steps()));
  }
}

void CheckEvaluation(const v1::JobSpec& job, Messages* faults) {
  if (job.evaluation().every_steps() > 0 && job.data().validation().empty()) {
    faults->push_back(fmt::format(
        "evaluation.every_steps: got {}, expected 0 without data.validation; name a validation set "
        "or leave the key out",
        job.evaluation().every_steps()));
  }
}

}  // namespace

std::vector<std::string> ValidateJob(const v1::JobSpec& job) {
  Messages faults;
  for (const auto check : {CheckName, CheckRanks, CheckWindow, CheckNormalisation, CheckBetas,
                           CheckSchedule, CheckEvaluation}) {
    check(job, &faults);
  }
  CheckPair("augmentation.crop_scale", job.augmentation().crop_scale(), &faults);
  CheckPair("augmentation.crop_ratio", job.augmentation().crop_ratio(), &faults);
  return faults;
}

}  // namespace ltml::config
