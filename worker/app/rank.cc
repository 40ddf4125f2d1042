#include "worker/app/rank.h"

#include "worker/session/messages.h"

namespace ltml::worker {

void RankMonitor::Step(const train::StepReport& report) {
  session_.Step(report);
  if (log_ != nullptr && log_status_.ok()) log_status_ = log_->Append(session::ToProto(report));
}

}  // namespace ltml::worker
