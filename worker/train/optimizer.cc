#include "worker/train/optimizer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>

#include "worker/train/parallel.h"
#include "worker/train/update_kernels.h"

namespace ltml::train {
namespace {

constexpr double kAdamEpsilon = AdamRates().epsilon;
constexpr int64_t kGrain = int64_t{1} << 15;

}  // namespace

Optimizer::Optimizer(const TrainerOptions& options, const GradientBuckets& buckets,
                     const ParameterMemory& memory, bool by_operators)
    : kind_(options.optimizer),
      momentum_(options.momentum),
      weight_decay_(options.weight_decay),
      beta1_(options.beta1),
      beta2_(options.beta2),
      decay_norm_(options.decay_norm),
      by_operators_(by_operators),
      buckets_(buckets),
      memory_(memory) {
  PlanSegments();
}

// Parameters lie in reverse order in the buckets, so this walks every bucket from its start.
void Optimizer::PlanSegments() {
  const auto& slots = memory_.layout().slots;
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
void Optimizer::UpdateWith(const T* g, const Segment& segment, Shard range, int64_t step,
                           double learning_rate) {
  const auto at = [&](Plane plane) {
    return memory_.flat(plane, segment.bucket).template mutable_data_ptr<T>() + range.begin;
  };
  const int64_t n = range.end - range.begin;
  const double decay = segment.decayed ? weight_decay_ : 0.0;
  if (kind_ == OptimizerKind::kSgd) {
    SgdUpdate<T>({.learning_rate = learning_rate, .momentum = momentum_, .weight_decay = decay}, n,
                 g, at(Plane::kValues), at(Plane::kFirstMoment));
    return;
  }
  AdamUpdate<T>({.learning_rate = learning_rate,
                 .beta1 = beta1_,
                 .beta2 = beta2_,
                 .weight_decay = decay,
                 .t = step + 1},
                n, g, at(Plane::kValues), at(Plane::kFirstMoment), at(Plane::kSecondMoment));
}

// Gradients of several ranks are summed a piece at a time, which is still in the cache when it is
// used.
template <typename T>
void Optimizer::UpdateRange(const Segment& segment, Shard range, int64_t step,
                            double learning_rate) {
  if (memory_.shared() == nullptr) {
    const at::Tensor& g = memory_.flat(Plane::kGradients, segment.bucket);
    UpdateWith<T>(g.template const_data_ptr<T>() + range.begin, segment, range, step,
                  learning_rate);
    return;
  }
  constexpr int64_t kPiece = 2048;
  std::array<T, kPiece> sum;
  for (int64_t begin = range.begin; begin < range.end; begin += kPiece) {
    const Shard piece = {begin, std::min(begin + kPiece, range.end)};
    for (int rank = 0; rank < memory_.world_size(); ++rank) {
      const T* const g =
          reinterpret_cast<const T*>(memory_.peer(rank, Plane::kGradients, segment.bucket));
      AddTo<T>(rank == 0, piece.end - begin, g + begin, sum.data());
    }
    UpdateWith<T>(sum.data(), segment, piece, step, learning_rate);
  }
}

template <typename T>
void Optimizer::Update(const Segment& segment, int64_t step, double learning_rate) {
  Shard range = {segment.begin, segment.end};
  if (memory_.shared() != nullptr) {
    const int64_t elements = memory_.flat(Plane::kValues, segment.bucket).numel();
    const Shard mine = ShardOf(elements, memory_.rank(), memory_.world_size());
    range = {std::max(range.begin, mine.begin), std::min(range.end, mine.end)};
  }
  if (range.begin >= range.end) return;
  InParallel(range.begin, range.end, kGrain, [&](int64_t begin, int64_t end) {
    UpdateRange<T>(segment, {begin, end}, step, learning_rate);
  });
}

// The moments start at zero, so that no step is a first one for the operators.
void Optimizer::StepByOperators(bool decayed, int64_t step, double learning_rate,
                                const std::optional<at::Tensor>& faulty) {
  std::vector<at::Tensor> values, gradients, first, second;
  for (const Segment& segment : segments_) {
    if (segment.decayed != decayed) continue;
    const auto part = [&](Plane plane) {
      return memory_.flat(plane, segment.bucket).slice(0, segment.begin, segment.end);
    };
    values.push_back(part(Plane::kValues));
    gradients.push_back(part(Plane::kGradients));
    first.push_back(part(Plane::kFirstMoment));
    if (kind_ == OptimizerKind::kAdamW) second.push_back(part(Plane::kSecondMoment));
  }
  if (values.empty()) return;
  const double decay = decayed ? weight_decay_ : 0.0;
  if (kind_ == OptimizerKind::kSgd) {
    if (momentum_ == 0) first.clear();
    at::_fused_sgd_(values, gradients, first, decay, momentum_, learning_rate, /*dampening=*/0,
                    /*nesterov=*/false, /*maximize=*/false, /*is_first_step=*/false,
                    /*grad_scale=*/{}, faulty);
    return;
  }
  const at::Tensor t =
      at::full({}, static_cast<double>(step + 1), values.front().options().dtype(at::kFloat));
  at::_fused_adamw_(values, gradients, first, second, {}, std::vector<at::Tensor>(values.size(), t),
                    learning_rate, beta1_, beta2_, decay, kAdamEpsilon, /*amsgrad=*/false,
                    /*maximize=*/false, /*grad_scale=*/{}, faulty);
}

void Optimizer::Step(int64_t step, double learning_rate, const at::Tensor& faulty) {
  if (by_operators_) {
    const at::NoGradGuard no_grad;
    const auto skip = faulty.defined() ? std::optional(faulty) : std::nullopt;
    for (const bool decayed : {true, false}) StepByOperators(decayed, step, learning_rate, skip);
    return;
  }
  const bool is_double = memory_.flat(Plane::kValues, 0).scalar_type() == at::kDouble;
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
    const auto view = [&](Plane plane) {
      return buckets_.ViewLike(static_cast<int>(i), memory_.all(plane));
    };
    state.push_back({(sgd ? "momentum." : "adam_m.") + name, view(Plane::kFirstMoment)});
    if (!sgd) state.push_back({"adam_v." + name, view(Plane::kSecondMoment)});
  }
  return state;
}

std::vector<at::Tensor> Optimizer::FlatState() const {
  std::vector<at::Tensor> flat = memory_.all(Plane::kFirstMoment);
  if (kind_ == OptimizerKind::kSgd) return flat;
  const std::vector<at::Tensor>& second = memory_.all(Plane::kSecondMoment);
  flat.insert(flat.end(), second.begin(), second.end());
  return flat;
}

}  // namespace ltml::train
