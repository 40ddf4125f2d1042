#include "common/tensorboard/summary.h"

#include <algorithm>

namespace ltml::tensorboard {
namespace {

constexpr int kBuckets = 20;

Summary::Value& Append(const std::string& tag, Summary& summary) {
  Summary::Value& value = *summary.add_value();
  value.set_tag(tag);
  return value;
}

void FillBuckets(std::span<const double> values, Histogram& histogram) {
  for (int i = 1; i <= kBuckets; ++i) histogram.add_bucket_limit(static_cast<double>(i) / kBuckets);
  histogram.mutable_bucket()->Resize(kBuckets, 0);
  for (const double value : values) {
    const int bucket = std::clamp(static_cast<int>(value * kBuckets), 0, kBuckets - 1);
    histogram.set_bucket(bucket, histogram.bucket(bucket) + 1);
  }
}

float Ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 0
                    : static_cast<float>(static_cast<double>(part) / static_cast<double>(whole));
}

void AddRow(int64_t columns, Tensor& tensor, const auto& value_at) {
  for (int64_t i = 0; i < columns; ++i) tensor.add_float_val(static_cast<float>(value_at(i)));
}

}  // namespace

void AddScalar(const std::string& tag, double value, Summary& summary) {
  Append(tag, summary).set_simple_value(static_cast<float>(value));
}

void AddShares(const std::string& tag, std::span<const double> values, Summary& summary) {
  if (values.empty()) return;
  Histogram& histogram = *Append(tag, summary).mutable_histo();
  const auto [min, max] = std::ranges::minmax(values);
  histogram.set_min(min);
  histogram.set_max(max);
  histogram.set_num(static_cast<double>(values.size()));
  for (const double value : values) {
    histogram.set_sum(histogram.sum() + value);
    histogram.set_sum_squares(histogram.sum_squares() + value * value);
  }
  FillBuckets(values, histogram);
}

void AddPrCurve(const std::string& tag, const metrics::ThresholdCounts& counts, Summary& summary) {
  const auto& tp = counts.true_positives;
  const auto& fp = counts.false_positives;
  const int64_t columns = std::ssize(tp);
  PrCurveContent content;
  content.set_num_thresholds(static_cast<uint32_t>(columns));
  Summary::Value& value = Append(tag, summary);
  value.mutable_metadata()->mutable_plugin_data()->set_plugin_name("pr_curves");
  value.mutable_metadata()->mutable_plugin_data()->set_content(content.SerializeAsString());
  Tensor& tensor = *value.mutable_tensor();
  tensor.set_dtype(Tensor::FLOAT);
  tensor.mutable_tensor_shape()->add_dim()->set_size(6);
  tensor.mutable_tensor_shape()->add_dim()->set_size(columns);
  AddRow(columns, tensor, [&](int64_t i) { return tp[i]; });
  AddRow(columns, tensor, [&](int64_t i) { return fp[i]; });
  AddRow(columns, tensor, [&](int64_t i) { return counts.negatives - fp[i]; });
  AddRow(columns, tensor, [&](int64_t i) { return counts.positives - tp[i]; });
  AddRow(columns, tensor, [&](int64_t i) { return Ratio(tp[i], tp[i] + fp[i]); });
  AddRow(columns, tensor, [&](int64_t i) { return Ratio(tp[i], counts.positives); });
}

}  // namespace ltml::tensorboard
