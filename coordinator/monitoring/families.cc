#include "coordinator/monitoring/families.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/base/visible.h"

namespace ltml::monitoring {
namespace {

constexpr const Metric* kAll[] = {&kBuildInfo,       &kProcessStart,       &kProcessCpu,
                                  &kProcessMemory,   &kProcessFiles,       &kJobs,
                                  &kQueueWait,       &kLongestWait,        &kHostSlots,
                                  &kHostSlotsUsed,   &kHostReady,          &kStoreCommit,
                                  &kStoreErrors,     &kDiskSize,           &kDiskFree,
                                  &kLogLinesDropped, &kClassSeriesDropped, &kGrpcHandled,
                                  &kGrpcHandling,    &kJobState,           &kJobInfo,
                                  &kJobStart,        &kJobAttempt,         &kJobStep,
                                  &kJobSteps,        &kJobSamples,         &kJobImagesPerSecond,
                                  &kJobLoss,         &kJobLearningRate,    &kJobPrecision,
                                  &kJobStepDuration, &kJobGrantWait,       &kJobCompute,
                                  &kJobDataWait,     &kJobCollectiveWait,  &kRankLastMessage,
                                  &kJobFailures,     &kJobRestarts,        &kBadSamples,
                                  &kJobCheckpoint,   &kImbalance,          &kClassTrain,
                                  &kClassUniform,    &kClassRebalanced,    &kClassPrecision,
                                  &kClassUniformMu,  &kClassRebalancedMu};

size_t PlaceOf(const Metric& metric) {
  static const auto places = [] {
    std::unordered_map<const Metric*, size_t> all;
    for (size_t i = 0; i < std::size(kAll); ++i) all[kAll[i]] = i;
    return all;
  }();
  return places.at(&metric);
}

prometheus::ClientMetric::Histogram HistogramOf(const base::Durations& durations) {
  prometheus::ClientMetric::Histogram histogram;
  uint64_t count = 0;
  for (size_t i = 0; i < durations.counts().size(); ++i) {
    count += static_cast<uint64_t>(durations.counts()[i]);
    const double bound = i < durations.bounds().size() ? durations.bounds()[i]
                                                       : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({.cumulative_count = count, .upper_bound = bound});
  }
  histogram.sample_count = count;
  histogram.sample_sum = durations.sum_seconds();
  return histogram;
}

}  // namespace

std::span<const Metric* const> AllMetrics() { return kAll; }

Families::Families() {
  for (const Metric* metric : kAll) {
    families_.push_back({.name = std::string(metric->name),
                         .help = std::string(metric->help),
                         .type = metric->type,
                         .metric = {}});
  }
}

prometheus::ClientMetric& Families::Append(const Metric& metric,
                                           std::initializer_list<std::string_view> labels) {
  auto& series = families_[PlaceOf(metric)].metric.emplace_back();
  series.label.reserve(labels.size());
  const auto* name = metric.labels.begin();
  for (const std::string_view value : labels) {
    assert(name != metric.labels.end() && !name->empty());
    series.label.push_back({std::string(*name++), base::Visible(value)});
  }
  return series;
}

void Families::Add(const Metric& metric, std::initializer_list<std::string_view> labels,
                   double value) {
  prometheus::ClientMetric& series = Append(metric, labels);
  (metric.type == Type::Counter ? series.counter.value : series.gauge.value) = value;
}

void Families::Add(const Metric& metric, std::initializer_list<std::string_view> labels,
                   const base::Durations& durations) {
  Append(metric, labels).histogram = HistogramOf(durations);
}

std::vector<prometheus::MetricFamily> Families::Take() && {
  std::erase_if(families_, [](const auto& family) { return family.metric.empty(); });
  return std::move(families_);
}

}  // namespace ltml::monitoring
