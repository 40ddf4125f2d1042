#include "worker/train/tensor_moments.h"

#include <ATen/core/grad_mode.h>

#include <span>

#include "common/base/status_macros.h"
#include "worker/train/device_mark.h"

namespace ltml::train {
namespace {

// statistics.h: q = round(4096 clamp(z, -512, 512)), ties to even.
constexpr double kLargest = 512, kScale = 4096;

}  // namespace

TensorMoments::TensorMoments(int classes, at::Device device)
    : classes_(classes),
      sums_(at::zeros({2, 2, 3, classes}, at::TensorOptions(device).dtype(at::kLong))) {}

void TensorMoments::Add(statistics::Branch branch, const at::Tensor& logits_BK,
                        const at::Tensor& labels_BK) {
  if (!logits_BK.defined() || logits_BK.numel() == 0) return;
  const at::NoGradGuard no_grad;
  const at::Tensor q_BK = logits_BK.detach()
                              .to(at::kFloat)
                              .clamp(-kLargest, kLargest)
                              .mul_(kScale)
                              .round_()
                              .to(at::kLong);
  const at::Tensor positive_BK = labels_BK.ne(0).to(at::kLong);
  const at::Tensor powers_3BK = at::stack({at::ones_like(q_BK), q_BK, q_BK.square()});
  const at::Tensor of_positives_3K = (powers_3BK * positive_BK).sum(1);
  sums_[branch][statistics::kPositive].add_(of_positives_3K);
  sums_[branch][statistics::kNegative].add_(powers_3BK.sum(1) - of_positives_3K);
}

absl::Status TensorMoments::MoveTo(statistics::WindowSums& sums, std::chrono::nanoseconds limit) {
  LTML_RETURN_IF_ERROR(AwaitDevice(sums_.device(), "the steps of the statistics window", limit));
  const at::Tensor flat = sums_.cpu().contiguous();
  sums.Merge(statistics::WindowSums::FromFlat(
      std::span(flat.const_data_ptr<int64_t>(), static_cast<size_t>(flat.numel())), classes_));
  sums_.zero_();
  return absl::OkStatus();
}

}  // namespace ltml::train
