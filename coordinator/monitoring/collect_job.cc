#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <string>

#include "common/base/proto_time.h"
#include "coordinator/monitoring/collect_parts.h"

namespace ltml::monitoring {
namespace {

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

double UnixSeconds(const google::protobuf::Timestamp& time) {
  return std::chrono::duration<double>(base::FromTimestamp(time).time_since_epoch()).count();
}

void AddStanding(const service::LiveJob& live, const std::string& job, Families& families) {
  const v1::Job& record = live.job;
  for (int i = v1::JOB_STATE_QUEUED; i < v1::JobState_ARRAYSIZE; ++i) {
    const auto state = static_cast<v1::JobState>(i);
    families.Add(kJobState, {job, StateLabel(state)}, record.state() == state ? 1 : 0);
  }
  families.Add(kJobInfo, {job, record.spec().name()}, 1);
  if (record.has_start_time()) families.Add(kJobStart, {job}, UnixSeconds(record.start_time()));
  families.Add(kJobAttempt, {job}, static_cast<double>(record.attempt_epoch()));
  families.Add(kJobStep, {job}, static_cast<double>(record.step()));
  families.Add(kJobSteps, {job}, static_cast<double>(record.spec().schedule().steps()));
  if (record.has_checkpoint_time()) {
    families.Add(kJobCheckpoint, {job}, UnixSeconds(record.checkpoint_time()));
  }
}

void AddLearning(const service::LiveJob& live, const std::string& job, Families& families) {
  const auto branches = live.job.spec().model().branches();
  const double images = static_cast<double>(live.steps) * live.job.spec().streams().global_batch();
  if (branches != v1::Model::BRANCHES_REBALANCED) {
    families.Add(kJobSamples, {job, "uniform"}, images);
  }
  if (branches != v1::Model::BRANCHES_UNIFORM) {
    families.Add(kJobSamples, {job, "rebalanced"}, images);
  }
  if (live.job.has_metrics()) {
    const v1::StepMetrics& metrics = live.job.metrics();
    families.Add(kJobImagesPerSecond, {job}, metrics.images_per_second());
    families.Add(kJobLearningRate, {job}, metrics.learning_rate());
    families.Add(kJobLoss, {job, "total"}, metrics.loss());
    families.Add(kJobLoss, {job, "uniform"}, metrics.classification_uniform());
    families.Add(kJobLoss, {job, "rebalanced"}, metrics.classification_rebalanced());
    families.Add(kJobLoss, {job, "consistency"}, metrics.consistency());
  }
  if (live.job.evaluations().empty()) return;
  const auto& means = live.job.evaluations().rbegin()->mean_average_precision();
  if (means.has_total()) families.Add(kJobPrecision, {job, "total"}, means.total());
  if (means.has_head()) families.Add(kJobPrecision, {job, "head"}, means.head());
  if (means.has_medium()) families.Add(kJobPrecision, {job, "medium"}, means.medium());
  if (means.has_tail()) families.Add(kJobPrecision, {job, "tail"}, means.tail());
}

void AddRanks(const service::LiveJob& live, const std::string& job, Families& families) {
  families.Add(kJobStepDuration, {job}, live.step_durations);
  double grant_wait = 0;
  for (const v1::RankStatus& rank : live.ranks) {
    const std::string number = fmt::format("{}", rank.rank());
    grant_wait += rank.times().grant_wait_seconds();
    families.Add(kJobCompute, {job, number}, rank.times().compute_seconds());
    families.Add(kJobDataWait, {job, number}, rank.times().data_wait_seconds());
    families.Add(kJobCollectiveWait, {job, number}, rank.times().collective_wait_seconds());
    if (!live.job.ranks().empty() && rank.has_last_message_time()) {
      families.Add(kRankLastMessage, {job, number}, UnixSeconds(rank.last_message_time()));
    }
  }
  families.Add(kJobGrantWait, {job}, grant_wait);
}

bool IsBadSample(const v1::Failure& failure) {
  return failure.cause() == v1::FAILURE_CAUSE_DATA &&
         (failure.phase() == v1::PHASE_STEP || failure.phase() == v1::PHASE_EVALUATION);
}

// A failure is followed by another attempt unless it is the newest's.
void AddFailures(const service::LiveJob& live, const std::string& job, Families& families) {
  std::map<std::string, int> failures, restarts;
  int bad_samples = 0;
  for (const v1::Attempt& attempt : live.job.attempts()) {
    if (!attempt.has_failure()) continue;
    const std::string reason = ReasonLabel(attempt.failure().cause());
    ++failures[reason];
    restarts[reason] += attempt.epoch() < live.job.attempt_epoch() ? 1 : 0;
    bad_samples += IsBadSample(attempt.failure()) ? 1 : 0;
  }
  for (const auto& [reason, count] : failures) families.Add(kJobFailures, {job, reason}, count);
  for (const auto& [reason, count] : restarts) families.Add(kJobRestarts, {job, reason}, count);
  families.Add(kBadSamples, {job, "undecodable"}, bad_samples);
}

}  // namespace

std::string JobLabel(const v1::Job& job) { return job.name().substr(job.name().find('/') + 1); }

std::string ReasonLabel(v1::FailureCause cause) {
  return Lower(v1::FailureCause_Name(cause).substr(sizeof("FAILURE_CAUSE_") - 1));
}

std::string StateLabel(v1::JobState state) {
  return Lower(v1::JobState_Name(state).substr(sizeof("JOB_STATE_") - 1));
}

void AddJob(const service::LiveJob& live, Families& families) {
  const std::string job = JobLabel(live.job);
  AddStanding(live, job, families);
  AddLearning(live, job, families);
  AddRanks(live, job, families);
  AddFailures(live, job, families);
}

}  // namespace ltml::monitoring
