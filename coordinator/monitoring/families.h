#pragma once

#include <prometheus/metric_family.h>

#include <initializer_list>
#include <string_view>
#include <vector>

#include "common/base/durations.h"
#include "coordinator/monitoring/metrics.h"

namespace ltml::monitoring {

// Families of metrics as prometheus-cpp's serializer takes them, filled series by series.  Values
// of labels may be of any origin: they are shown as base::Visible does.
class Families {
 public:
  Families();

  // As many labels as the metric has.
  void Add(const Metric& metric, std::initializer_list<std::string_view> labels, double value);
  void Add(const Metric& metric, std::initializer_list<std::string_view> labels,
           const base::Durations& durations);

  // Those that have series, in the order of AllMetrics().
  std::vector<prometheus::MetricFamily> Take() &&;

 private:
  prometheus::ClientMetric& Append(const Metric& metric,
                                   std::initializer_list<std::string_view> labels);
  std::vector<prometheus::MetricFamily> families_;  // as AllMetrics()
};

}  // namespace ltml::monitoring
