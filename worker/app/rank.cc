#include "worker/app/rank.h"

#include "worker/app/tensorboard_log.h"
#include "worker/session/messages.h"

namespace ltml::worker {

void RankMonitor::Step(const train::StepReport& report) {
  session_.Step(report);
  if (logs_.metrics == nullptr) return;
  const v1::StepMetrics line = session::ToProto(report);
  if (log_status_.ok()) log_status_ = logs_.metrics->Append(line);
  logs_.tensorboard->Step(line);
}

}  // namespace ltml::worker
