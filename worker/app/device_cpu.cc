#include "worker/app/cause.h"
#include "worker/app/device.h"

namespace ltml::worker {

void PrepareDevices() {}

absl::StatusOr<RankDevice> OpenDevice(const v1::WorkerTask& task, train::Collective&) {
  if (task.job().resources().device() == v1::Resources::DEVICE_CUDA) {
    return WithCause(absl::FailedPreconditionError(
                         "the job asks for resources.device = \"cuda\", and ltml-worker knows the "
                         "processor alone: LTML_WORKER must name ltml-worker-cuda, or nothing"),
                     v1::FAILURE_CAUSE_CONFIGURATION);
  }
  return RankDevice();
}

}  // namespace ltml::worker
