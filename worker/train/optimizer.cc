#include "worker/train/optimizer.h"

#include <ATen/Parallel.h>

#include "worker/train/update_kernels.h"

namespace ltml::train {
namespace {

constexpr int64_t kGrain = int64_t{1} << 15;

}  // namespace

Optimizer::Optimizer(const TrainerOptions& options, const GradientBuckets& buckets)
    : kind_(options.optimizer),
      momentum_(options.momentum),
      weight_decay_(options.weight_decay),
      beta1_(options.beta1),
      beta2_(options.beta2),
      decay_norm_(options.decay_norm),
      buckets_(buckets) {
  for (int bucket = 0; bucket < buckets.buckets(); ++bucket) {
    first_.push_back(at::zeros_like(buckets.values(bucket)));
    if (kind_ == OptimizerKind::kAdamW) second_.push_back(at::zeros_like(buckets.values(bucket)));
  }
  PlanSegments();
}

// Parameters lie in reverse order in the buckets, so this walks every bucket from its start.
void Optimizer::PlanSegments() {
  const auto& slots = buckets_.layout().slots;
  for (size_t i = slots.size(); i-- > 0;) {
    const BucketSlot& slot = slots[i];
    const bool decayed = decay_norm_ || buckets_.parameters()[i].tensor.dim() > 1;
    const int64_t end = slot.offset + slot.elements;
    if (!segments_.empty() && segments_.back().bucket == slot.bucket &&
        segments_.back().decayed == decayed) {
      segments_.back().end = end;
    } else {
      segments_.push_back({slot.bucket, slot.offset, end, decayed});
    }
  }
}

template <typename T>
void Optimizer::UpdateRange(const Segment& segment, int64_t begin, int64_t end, int64_t step,
                            double learning_rate) {
  const T* g = buckets_.gradients(segment.bucket).template const_data_ptr<T>() + begin;
  T* p = buckets_.values(segment.bucket).template mutable_data_ptr<T>() + begin;
  T* m = first_[segment.bucket].template mutable_data_ptr<T>() + begin;
  const double decay = segment.decayed ? weight_decay_ : 0.0;
  if (kind_ == OptimizerKind::kSgd) {
    SgdUpdate<T>({.learning_rate = learning_rate, .momentum = momentum_, .weight_decay = decay},
                 end - begin, g, p, m);
    return;
  }
  T* v = second_[segment.bucket].template mutable_data_ptr<T>() + begin;
  AdamUpdate<T>({.learning_rate = learning_rate,
                 .beta1 = beta1_,
                 .beta2 = beta2_,
                 .weight_decay = decay,
                 .t = step + 1},
                end - begin, g, p, m, v);
}

template <typename T>
void Optimizer::Update(const Segment& segment, int64_t step, double learning_rate) {
  at::parallel_for(segment.begin, segment.end, kGrain, [&](int64_t begin, int64_t end) {
    UpdateRange<T>(segment, begin, end, step, learning_rate);
  });
}

void Optimizer::Step(int64_t step, double learning_rate) {
  const bool is_double = first_.front().scalar_type() == at::kDouble;
  for (const Segment& segment : segments_) {
    if (is_double) {
      Update<double>(segment, step, learning_rate);
    } else {
      Update<float>(segment, step, learning_rate);
    }
  }
}

std::vector<model::NamedTensor> Optimizer::State() const {
  std::vector<model::NamedTensor> state;
  const bool sgd = kind_ == OptimizerKind::kSgd;
  for (size_t i = 0; i < buckets_.parameters().size(); ++i) {
    const std::string& name = buckets_.parameters()[i].name;
    const int index = static_cast<int>(i);
    state.push_back({(sgd ? "momentum." : "adam_m.") + name, buckets_.ViewLike(index, first_)});
    if (!sgd) state.push_back({"adam_v." + name, buckets_.ViewLike(index, second_)});
  }
  return state;
}

std::vector<at::Tensor> Optimizer::FlatState() const {
  std::vector<at::Tensor> flat = first_;
  flat.insert(flat.end(), second_.begin(), second_.end());
  return flat;
}

}  // namespace ltml::train
