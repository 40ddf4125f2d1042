#include "worker/train/tail.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "worker/train/gradient_buckets.h"

namespace ltml::train {
namespace {

enum Slot : int64_t {
  kTotal,
  kUniform,
  kRebalanced,
  kConsistency,
  kCheckpointBit,
  kStopBit,
  kFlags
};

}  // namespace

bool LossParts::finite() const {
  return std::isfinite(total) && std::isfinite(classification_uniform) &&
         std::isfinite(classification_rebalanced) && std::isfinite(consistency);
}

std::string LossParts::ToString() const {
  return fmt::format("total {}, uniform {}, re-balanced {}, consistency {}", total,
                     classification_uniform, classification_rebalanced, consistency);
}

StepTail::StepTail(std::vector<model::NamedTensor> running_statistics, int rank, int world_size)
    : running_(std::move(running_statistics)), rank_(rank), world_size_(world_size) {
  for (const model::NamedTensor& buffer : running_) running_elements_ += buffer.tensor.numel();
  flat_ = at::zeros({running_elements_ + kFlags + world_size_}, at::kDouble);
}

StepTail::~StepTail() {
  if (in_flight_) (void)flat_.unsafeReleaseTensorImpl();
}

const double* StepTail::slots() const { return flat_.const_data_ptr<double>() + running_elements_; }

void StepTail::Fill(double weight, const LossParts& loss, Command command) {
  const at::NoGradGuard no_grad;
  flat_.zero_();
  int64_t offset = 0;
  for (const model::NamedTensor& buffer : running_) {
    at::Tensor part = flat_.narrow(0, offset, buffer.tensor.numel());
    part.copy_(buffer.tensor.reshape(-1));
    offset += buffer.tensor.numel();
  }
  if (weight != 1.0) flat_.narrow(0, 0, running_elements_).mul_(weight);
  double* slot = flat_.mutable_data_ptr<double>() + running_elements_;
  slot[kTotal] = loss.total;
  slot[kUniform] = loss.classification_uniform;
  slot[kRebalanced] = loss.classification_rebalanced;
  slot[kConsistency] = loss.consistency;
  slot[kCheckpointBit] = rank_ == 0 && command == Command::kCheckpoint ? 1 : 0;
  slot[kStopBit] = rank_ == 0 && command == Command::kStop ? 1 : 0;
  slot[kFlags + rank_] = loss.finite() ? 0 : 1;
}

Collective::Ticket StepTail::Start(Collective& collective) {
  in_flight_ = true;
  return collective.StartAllReduceSum(BufferOf(flat_));
}

LossParts StepTail::loss() const {
  const double* slot = slots();
  return {.total = slot[kTotal],
          .classification_uniform = slot[kUniform],
          .classification_rebalanced = slot[kRebalanced],
          .consistency = slot[kConsistency]};
}

Command StepTail::command() const {
  if (slots()[kStopBit] != 0) return Command::kStop;
  return slots()[kCheckpointBit] != 0 ? Command::kCheckpoint : Command::kNone;
}

int StepTail::non_finite_rank() const {
  for (int rank = 0; rank < world_size_; ++rank) {
    if (slots()[kFlags + rank] != 0) return rank;
  }
  return -1;
}

void StepTail::StoreRunningStatistics() {
  const at::NoGradGuard no_grad;
  int64_t offset = 0;
  for (model::NamedTensor& buffer : running_) {
    const int64_t elements = buffer.tensor.numel();
    buffer.tensor.copy_(flat_.narrow(0, offset, elements).view(buffer.tensor.sizes()));
    offset += elements;
  }
}

}  // namespace ltml::train
