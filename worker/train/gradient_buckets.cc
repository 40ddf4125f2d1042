#include "worker/train/gradient_buckets.h"

#include <ATen/core/grad_mode.h>
#include <malloc.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <utility>

#include "worker/train/parallel.h"
#include "worker/train/update_kernels.h"

namespace ltml::train {

struct GradientBuckets::Hook : torch::autograd::PostAccumulateGradHook {
  Hook(GradientBuckets& buckets, int index) : buckets(buckets), index(index) {}
  void operator()(const torch::autograd::Variable&) override { buckets.Arrived(index); }
  GradientBuckets& buckets;
  const int index;
};

namespace {

template <typename T>
bool IsWithin(const at::Tensor& flat, double largest) {
  constexpr int64_t kGrain = int64_t{1} << 16;
  const T* const values = flat.const_data_ptr<T>();
  std::atomic<bool> within = true;
  InParallel(0, flat.numel(), kGrain, [&](int64_t begin, int64_t end) {
    if (!AllWithin<T>(end - begin, values + begin, static_cast<T>(largest))) within = false;
  });
  return within;
}

}  // namespace

Buffer BufferOf(const at::Tensor& flat) {
  const ElementType type = flat.scalar_type() == at::kDouble  ? ElementType::kFloat64
                           : flat.scalar_type() == at::kFloat ? ElementType::kFloat32
                                                              : ElementType::kInt64;
  return {
      .data = flat.data_ptr(), .count = flat.numel(), .type = type, .on_device = !flat.is_cpu()};
}

BucketLayout ParameterSet::LayOut(int64_t bucket_bytes) const {
  std::vector<BucketItem> items;
  for (size_t i = 0; i < parameters.size(); ++i) {
    items.push_back({.elements = parameters[i].tensor.numel(), .part = traits[i].part});
  }
  return LayOutBuckets(items, static_cast<int64_t>(parameters.front().tensor.element_size()),
                       bucket_bytes);
}

GradientBuckets::GradientBuckets(ParameterSet set, const ParameterMemory& memory,
                                 Soundness soundness, Start start)
    : set_(std::move(set)),
      memory_(memory),
      soundness_(soundness),
      start_(std::move(start)),
      parameters_in_bucket_(memory.buckets()) {
  for (const BucketSlot& slot : memory_.layout().slots) ++parameters_in_bucket_[slot.bucket];
  missing_ = parameters_in_bucket_;
  Adopt();
  if (soundness_.by_operators) PlanMeasurement();
}

void GradientBuckets::Adopt() {
  const at::NoGradGuard no_grad;
  for (int i = 0; i < std::ssize(set_.parameters); ++i) {
    at::Tensor& parameter = set_.parameters[i].tensor;
    at::Tensor values = ViewLike(i, memory_.all(Plane::kValues));
    if (memory_.has_own_values()) values.copy_(parameter);
    parameter.set_data(values);
    parameter.mutable_grad() = ViewLike(i, memory_.all(Plane::kGradients));
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, std::make_unique<Hook>(*this, i));
  }
  ::malloc_trim(0);  // what the values lay in goes back to the system
}

GradientBuckets::~GradientBuckets() {
  for (const model::NamedTensor& parameter : set_.parameters) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter.tensor, nullptr);
    if (!in_flight_) parameter.tensor.mutable_grad().reset();
  }
  if (!in_flight_) return;
  for (at::Tensor flat : memory_.all(Plane::kGradients)) (void)flat.unsafeReleaseTensorImpl();
}

at::Tensor GradientBuckets::ViewLike(int index, const std::vector<at::Tensor>& flat) const {
  const BucketSlot& slot = memory_.layout().slots[index];
  const at::Tensor& like = set_.parameters[index].tensor;
  return flat[slot.bucket].as_strided(like.sizes(), like.strides(), slot.offset);
}

// Parameters in the order of the layout, which is the reverse of theirs.
void GradientBuckets::PlanMeasurement() {
  gradients_in_bucket_.resize(memory_.layout().bucket_elements.size());
  std::vector<double> codes;
  for (int i = static_cast<int>(set_.parameters.size()) - 1; i >= 0; --i) {
    gradients_in_bucket_[memory_.layout().slots[i].bucket].push_back(
        set_.parameters[i].tensor.grad());
    codes.push_back(i + 1);
  }
  codes_P_ = at::tensor(codes, at::kDouble).to(memory_.flat(Plane::kGradients, 0).device());
}

void GradientBuckets::Begin() {
  ZeroGradients();
  norms_.clear();
  missing_ = parameters_in_bucket_;
  next_to_start_ = 0;
  unsound_ = -1;
}

void GradientBuckets::ZeroGradients() {
  if (soundness_.by_operators) {
    for (const at::Tensor& flat : memory_.all(Plane::kGradients)) flat.zero_();
    return;
  }
  for (size_t i = 0; i < set_.parameters.size(); ++i) {
    if (!set_.traits[i].overwritten) set_.parameters[i].tensor.mutable_grad().zero_();
  }
}

bool GradientBuckets::IsSound(int index) const {
  const BucketSlot& slot = memory_.layout().slots[index];
  const at::Tensor part =
      memory_.flat(Plane::kGradients, slot.bucket).narrow(0, slot.offset, slot.elements);
  return part.scalar_type() == at::kDouble ? IsWithin<double>(part, soundness_.largest)
                                           : IsWithin<float>(part, soundness_.largest);
}

// Parameters lie in the buckets in reverse order.
void GradientBuckets::Arrived(int index) {
  if (!soundness_.by_operators && !IsSound(index)) unsound_ = std::max(unsound_, index);
  if (--missing_[memory_.layout().slots[index].bucket] == 0) StartReady();
}

void GradientBuckets::StartReady() {
  for (; next_to_start_ < std::ssize(missing_) && missing_[next_to_start_] <= 0; ++next_to_start_) {
    in_flight_ = true;
    if (soundness_.by_operators) Measure(next_to_start_);
    start_(next_to_start_);
  }
}

// Before the sum over ranks overwrites this rank's gradients.
void GradientBuckets::Measure(int bucket) {
  const at::NoGradGuard no_grad;
  const auto norms =
      at::_foreach_norm(gradients_in_bucket_[bucket], std::numeric_limits<double>::infinity());
  norms_.insert(norms_.end(), norms.begin(), norms.end());
}

at::Tensor GradientBuckets::UnsoundCode() const {
  const at::NoGradGuard no_grad;
  const at::Tensor within_P = at::stack(norms_).to(at::kDouble).le(soundness_.largest);
  return at::where(within_P, at::zeros_like(codes_P_), codes_P_).max();
}

void GradientBuckets::StartAll() {
  in_flight_ = true;
  for (int bucket = 0; bucket < memory_.buckets(); ++bucket) start_(bucket);
}

void GradientBuckets::StartRemaining() {
  missing_.assign(missing_.size(), 0);
  StartReady();
}

}  // namespace ltml::train
