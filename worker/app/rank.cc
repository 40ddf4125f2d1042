#include "worker/app/rank.h"

namespace ltml::worker {

void RankMonitor::Step(const train::StepReport& report) {
  session_.Step(report);
  if (log_ == nullptr) return;
  v1::StepMetrics line;
  line.set_step(report.step);
  line.set_loss(report.loss);
  line.set_classification_uniform(report.classification_uniform);
  line.set_classification_rebalanced(report.classification_rebalanced);
  line.set_consistency(report.consistency);
  line.set_learning_rate(report.learning_rate);
  line.set_images_per_second(report.images_per_second);
  line.set_data_wait_ratio(report.data_wait_ratio);
  line.set_grant_wait_seconds(report.grant_wait_seconds);
  if (log_status_.ok()) log_status_ = log_->Append(line);
}

}  // namespace ltml::worker
