#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/visible.h"
#include "common/metrics/select_classes.h"
#include "common/run/classes_told.h"
#include "coordinator/monitoring/collect_parts.h"

namespace ltml::monitoring {
namespace {

using Precisions = std::vector<std::optional<double>>;

std::vector<int64_t> TrainCounts(const v1::DatasetInfo& classes) {
  std::vector<int64_t> counts;
  for (const v1::ClassInfo& one : classes.classes()) counts.push_back(one.images());
  return counts;
}

Precisions PrecisionsOf(const service::LiveJob& live, int classes) {
  Precisions precisions;
  if (live.validation == nullptr || live.validation->classes_size() != classes) return precisions;
  for (const v1::ClassReport& row : live.validation->classes()) {
    precisions.push_back(row.has_average_precision() ? std::optional(row.average_precision())
                                                     : std::nullopt);
  }
  return precisions;
}

// Two names that are shown alike would be one series twice, which Prometheus takes as an error.
class Labels {
 public:
  std::string Of(const std::string& name, int number) {
    std::string label = base::Visible(name);
    if (!used_.insert(label).second) {
      label += fmt::format(" #{}", number);
      used_.insert(label);
    }
    return label;
  }

 private:
  std::set<std::string> used_;
};

double ImbalanceOf(const std::vector<int64_t>& counts) {
  int64_t largest = 0, smallest = std::numeric_limits<int64_t>::max();
  for (const int64_t count : counts) {
    largest = std::max(largest, count);
    if (count > 0) smallest = std::min(smallest, count);
  }
  return largest > 0 ? static_cast<double>(largest) / static_cast<double>(smallest) : 0;
}

// What is known of one class; absent parts have no series.
struct ClassFacts {
  struct Fact {
    const Metric* metric;
    double value;
  };
  std::vector<Fact> facts;
  template <typename Values>
  void Add(const Metric& metric, const Values& values, int k) {
    if (k < values.size()) facts.push_back({&metric, static_cast<double>(values[k])});
  }
};

ClassFacts FactsOf(const service::LiveJob& live, const std::vector<int64_t>& counts,
                   const Precisions& precisions, int k) {
  ClassFacts all;
  all.facts.push_back({&kClassTrain, static_cast<double>(counts[k])});
  if (static_cast<size_t>(k) < precisions.size() && precisions[k]) {
    all.facts.push_back({&kClassPrecision, *precisions[k]});
  }
  if (live.statistics == nullptr) return all;
  const v1::ClassStatistics& statistics = *live.statistics;
  const v1::Compensation& compensation = statistics.compensation();
  all.Add(kClassUniform, statistics.uniform_positives(), k);
  all.Add(kClassRebalanced, statistics.rebalanced_positives(), k);
  if (!statistics.uniform_positives().empty()) {
    all.Add(kClassUniformMu, compensation.uniform_positive().mu(), k);
  }
  if (!statistics.rebalanced_positives().empty()) {
    all.Add(kClassRebalancedMu, compensation.rebalanced_positive().mu(), k);
  }
  return all;
}

}  // namespace

int64_t AddClasses(const service::LiveJob& live, const v1::DatasetInfo& classes, int64_t& budget,
                   Families& families) {
  const std::string job = JobLabel(live.job);
  const std::vector<int64_t> counts = TrainCounts(classes);
  const Precisions precisions = PrecisionsOf(live, classes.classes_size());
  families.Add(kImbalance, {job}, ImbalanceOf(counts));
  Labels labels;
  int64_t dropped = 0;
  const auto told = run::ClassesTold(live.job.spec().monitoring());
  for (const int k : metrics::SelectClasses(counts, precisions, told)) {
    const std::string label = labels.Of(classes.classes(k).name(), k);
    const ClassFacts all = FactsOf(live, counts, precisions, k);
    if (std::ssize(all.facts) > budget) {
      dropped += std::ssize(all.facts);
      continue;
    }
    budget -= std::ssize(all.facts);
    for (const auto& [metric, value] : all.facts) families.Add(*metric, {job, label}, value);
  }
  return dropped;
}

}  // namespace ltml::monitoring
