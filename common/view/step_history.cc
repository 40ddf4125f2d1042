#include "common/view/step_history.h"

namespace ltml::view {
namespace {

using Metrics = v1::StepMetrics;

struct Field {
  double (Metrics::*get)() const;
  void (Metrics::*set)(double);
};

constexpr Field kFields[] = {
    {&Metrics::loss, &Metrics::set_loss},
    {&Metrics::classification_uniform, &Metrics::set_classification_uniform},
    {&Metrics::classification_rebalanced, &Metrics::set_classification_rebalanced},
    {&Metrics::consistency, &Metrics::set_consistency},
    {&Metrics::learning_rate, &Metrics::set_learning_rate},
    {&Metrics::images_per_second, &Metrics::set_images_per_second},
    {&Metrics::data_wait_ratio, &Metrics::set_data_wait_ratio},
    {&Metrics::grant_wait_seconds, &Metrics::set_grant_wait_seconds},
};

}  // namespace

void StepHistory::Merge(Entry& into, const Entry& next) {
  for (const Field& field : kFields) {
    (into.sum.*field.set)((into.sum.*field.get)() + (next.sum.*field.get)());
  }
  into.sum.set_step(next.sum.step());
  into.lines += next.lines;
}

void StepHistory::Add(const v1::StepMetrics& line) {
  if (!entries_.empty() && entries_.back().lines < lines_together_) {
    return Merge(entries_.back(), {line, 1});
  }
  if (entries_.size() == kMost) {
    for (size_t i = 0; i < kMost / 2; ++i) {
      Entry pair = entries_[2 * i];
      Merge(pair, entries_[2 * i + 1]);
      entries_[i] = pair;
    }
    entries_.resize(kMost / 2);
    lines_together_ *= 2;
  }
  entries_.push_back({line, 1});
}

std::vector<v1::StepMetrics> StepHistory::steps() const {
  std::vector<v1::StepMetrics> means;
  for (const Entry& entry : entries_) {
    v1::StepMetrics& mean = means.emplace_back(entry.sum);
    for (const Field& field : kFields) {
      (mean.*field.set)((entry.sum.*field.get)() / static_cast<double>(entry.lines));
    }
  }
  return means;
}

}  // namespace ltml::view
