#include <malloc.h>

#include "worker/app/cause.h"
#include "worker/app/device.h"

namespace ltml::worker {
namespace {

// Memory that is given back is kept for what asks next.  Operators of LibTorch take theirs anew in
// every step; the system would clear each page of it.
void KeepFreedMemory() {
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, -1);
}

}  // namespace

void PrepareDevices() {}

absl::StatusOr<RankDevice> OpenDevice(const v1::WorkerTask& task, train::Collective&) {
  if (task.job().resources().device() == v1::Resources::DEVICE_CUDA) {
    return WithCause(absl::FailedPreconditionError(
                         "the job asks for resources.device = \"cuda\", and ltml-worker knows the "
                         "processor alone: LTML_WORKER must name ltml-worker-cuda, or nothing"),
                     v1::FAILURE_CAUSE_CONFIGURATION);
  }
  // Through operators of LibTorch; float32 has an engine that keeps its memory.
  if (task.job().resources().precision() == v1::Resources::PRECISION_BFLOAT16) KeepFreedMemory();
  return RankDevice();
}

}  // namespace ltml::worker
