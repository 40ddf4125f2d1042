#include "worker/train/step_graph.h"

#include <ATen/core/grad_mode.h>

#include <string>

#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "worker/train/device_mark.h"

namespace ltml::train {

bool StepGraph::Fits(const StepImages& images) const {
  return !images_.x_B3HW.defined() ||
         (images.uniform == images_.uniform && images.x_B3HW.sizes() == images_.x_B3HW.sizes());
}

void StepGraph::CopyImages(const StepImages& images) {
  const at::NoGradGuard no_grad;
  if (!images_.x_B3HW.defined()) {
    images_ = {.uniform = images.uniform,
               .rebalanced = images.rebalanced,
               .x_B3HW = at::empty_like(images.x_B3HW),
               .y_BK = at::empty_like(images.y_BK)};
  }
  images_.x_B3HW.copy_(images.x_B3HW);
  images_.y_BK.copy_(images.y_BK);
}

absl::Status StepGraph::Record(const Work& work) {
  LTML_RETURN_IF_ERROR(AwaitDevice(device_, "the steps before the recorded one", limit_));
  recording_ = true;
  absl::Status recorded = recorder_->Record([&] { work(images_); });
  recording_ = false;
  return recorded;
}

bool StepGraph::IsRecorded(const Work& work) {
  if (recorded_) return true;
  const absl::Status status = Record(work);
  recorded_ = status.ok();
  if (recorded_) return true;
  base::Log(base::LogLevel::kWarning, "step_graph_left_out", "reason={}",
            base::LogValue(std::string(status.message())));
  recorder_ = nullptr;
  images_ = {};
  return false;
}

StepGraph::Way StepGraph::RunPlainly(const StepImages& images, const Work& work) {
  ++plain_steps_;
  if (recorder_ == nullptr) {
    work(images);
  } else {
    recorder_->Run([&] { work(images); });
  }
  return Way::kPlain;
}

StepGraph::Way StepGraph::Run(const StepImages& images, const Work& work) {
  const bool warm = recorder_ != nullptr && plain_steps_ >= kPlainSteps && Fits(images);
  if (warm) CopyImages(images);
  if (!warm || !IsRecorded(work)) return RunPlainly(images, work);
  recorder_->Replay();
  return Way::kRecorded;
}

}  // namespace ltml::train
