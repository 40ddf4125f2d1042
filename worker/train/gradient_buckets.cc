#include "worker/train/gradient_buckets.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <utility>

#include "worker/train/update_kernels.h"

namespace ltml::train {

struct GradientBuckets::Hook : torch::autograd::PostAccumulateGradHook {
  Hook(GradientBuckets& buckets, int bucket) : buckets(buckets), bucket(bucket) {}
  void operator()(const torch::autograd::Variable&) override { buckets.Arrived(bucket); }
  GradientBuckets& buckets;
  const int bucket;
};

namespace {

std::vector<BucketItem> ItemsOf(const std::vector<model::NamedTensor>& parameters,
                                const std::vector<GradientBuckets::Trait>& traits) {
  std::vector<BucketItem> items;
  for (size_t i = 0; i < parameters.size(); ++i) {
    items.push_back({.elements = parameters[i].tensor.numel(), .part = traits[i].part});
  }
  return items;
}

template <typename T>
bool TensorFinite(const at::Tensor& flat) {
  return AllFinite(flat.numel(), flat.const_data_ptr<T>());
}

bool IsFinite(const at::Tensor& flat) {
  return flat.scalar_type() == at::kDouble ? TensorFinite<double>(flat) : TensorFinite<float>(flat);
}

}  // namespace

Buffer BufferOf(const at::Tensor& flat) {
  const ElementType type = flat.scalar_type() == at::kDouble  ? ElementType::kFloat64
                           : flat.scalar_type() == at::kFloat ? ElementType::kFloat32
                                                              : ElementType::kInt64;
  return {.data = flat.data_ptr(), .count = flat.numel(), .type = type};
}

GradientBuckets::GradientBuckets(std::vector<model::NamedTensor> parameters,
                                 std::vector<Trait> traits, int64_t bucket_bytes,
                                 Collective& collective)
    : parameters_(std::move(parameters)), traits_(std::move(traits)), collective_(collective) {
  const auto options = parameters_.front().tensor.options().requires_grad(false);
  const int64_t element_bytes = static_cast<int64_t>(options.dtype().itemsize());
  layout_ = LayOutBuckets(ItemsOf(parameters_, traits_), element_bytes, bucket_bytes);
  for (const int64_t elements : layout_.bucket_elements) {
    values_.push_back(at::zeros({elements}, options));
    gradients_.push_back(at::zeros({elements}, options));
  }
  parameters_in_bucket_.resize(layout_.bucket_elements.size());
  for (const BucketSlot& slot : layout_.slots) ++parameters_in_bucket_[slot.bucket];
  missing_ = parameters_in_bucket_;
  Adopt();
}

void GradientBuckets::Adopt() {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& parameter = parameters_[i].tensor;
    at::Tensor values = ViewLike(static_cast<int>(i), values_);
    values.copy_(parameter);
    parameter.set_data(values);
    parameter.mutable_grad() = ViewLike(static_cast<int>(i), gradients_);
    torch::autograd::impl::set_post_acc_grad_hooks(
        parameter, std::make_unique<Hook>(*this, layout_.slots[i].bucket));
  }
}

GradientBuckets::~GradientBuckets() {
  for (const model::NamedTensor& parameter : parameters_) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter.tensor, nullptr);
    if (!in_flight_) parameter.tensor.mutable_grad().reset();
  }
  if (!in_flight_) return;
  for (at::Tensor& flat : gradients_) (void)flat.unsafeReleaseTensorImpl();
}

at::Tensor GradientBuckets::ViewLike(int index, const std::vector<at::Tensor>& flat) const {
  const BucketSlot& slot = layout_.slots[index];
  const at::Tensor& like = parameters_[index].tensor;
  return flat[slot.bucket].as_strided(like.sizes(), like.strides(), slot.offset);
}

void GradientBuckets::Begin() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!traits_[i].overwritten) parameters_[i].tensor.mutable_grad().zero_();
  }
  missing_ = parameters_in_bucket_;
  next_to_start_ = 0;
}

void GradientBuckets::Arrived(int bucket) {
  if (--missing_[bucket] == 0) StartReady();
}

void GradientBuckets::StartReady() {
  for (; next_to_start_ < buckets() && missing_[next_to_start_] <= 0; ++next_to_start_) {
    in_flight_ = true;
    collective_.StartAllReduceSum(BufferOf(gradients_[next_to_start_]));
  }
}

void GradientBuckets::StartRemaining() {
  missing_.assign(missing_.size(), 0);
  StartReady();
}

std::string GradientBuckets::FirstNonFinite() const {
  for (int bucket = 0; bucket < buckets(); ++bucket) {
    if (IsFinite(gradients_[bucket])) continue;
    for (size_t i = parameters_.size(); i-- > 0;) {
      const BucketSlot& slot = layout_.slots[i];
      if (slot.bucket != bucket) continue;
      if (!IsFinite(gradients_[bucket].narrow(0, slot.offset, slot.elements))) {
        return parameters_[i].name;
      }
    }
  }
  return "";
}

}  // namespace ltml::train
