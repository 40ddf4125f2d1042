#include "common/tensorboard/run_summaries.h"

#include <array>
#include <optional>

#include "common/base/visible.h"
#include "common/tensorboard/summary.h"

namespace ltml::tensorboard {
namespace {

using metrics::Group;

// A group of classes by its name; `group` is absent for all classes.
struct Selection {
  std::string name;
  std::optional<Group> group;
  std::optional<double> mean;
};

std::array<Selection, 4> SelectionsOf(const metrics::GroupMeans& mean) {
  return {{{"total", std::nullopt, mean.total},
           {"head", Group::kHead, mean.head},
           {"medium", Group::kMedium, mean.medium},
           {"tail", Group::kTail, mean.tail}}};
}

void AddGroup(const Selection& selection, const ValidationFacts& facts, Summary& summary) {
  std::vector<double> precisions;
  std::optional<metrics::ThresholdCounts> pooled;
  for (size_t k = 0; k < facts.train_counts.size(); ++k) {
    const std::optional<double>& precision = facts.evaluation.average_precision[k];
    const bool member =
        !selection.group || metrics::GroupOf(facts.train_counts[k]) == *selection.group;
    if (!member || !precision) continue;
    precisions.push_back(*precision);
    pooled ? * pooled += facts.counts[k] : pooled.emplace(facts.counts[k]);
  }
  if (!pooled) return;
  AddScalar("mean_average_precision/" + selection.name, *selection.mean, summary);
  AddShares("class_average_precision/" + selection.name, precisions, summary);
  AddPrCurve("precision_recall/" + selection.name, *pooled, summary);
}

}  // namespace

Summary StepSummary(const v1::StepMetrics& step) {
  Summary summary;
  AddScalar("loss/total", step.loss(), summary);
  AddScalar("loss/uniform", step.classification_uniform(), summary);
  AddScalar("loss/rebalanced", step.classification_rebalanced(), summary);
  AddScalar("loss/consistency", step.consistency(), summary);
  AddScalar("learning_rate", step.learning_rate(), summary);
  AddScalar("images_per_second", step.images_per_second(), summary);
  AddScalar("wait/data_ratio", step.data_wait_ratio(), summary);
  AddScalar("wait/grant_seconds", step.grant_wait_seconds(), summary);
  return summary;
}

Summary ValidationSummary(const ValidationFacts& facts) {
  Summary summary;
  for (const Selection& selection : SelectionsOf(facts.evaluation.mean)) {
    AddGroup(selection, facts, summary);
  }
  for (const int k : facts.curves) {
    if (!facts.evaluation.average_precision[k]) continue;
    AddPrCurve("class_precision_recall/" + base::Visible(facts.class_names[k]), facts.counts[k],
               summary);
  }
  return summary;
}

}  // namespace ltml::tensorboard
