#include "worker/train/tail.h"

#include <fmt/format.h>

#include <algorithm>
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
  kFaults  // a slot a rank: 0, 1 for its loss, 2 + number of a parameter
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
    : running_(std::move(running_statistics)),
      rank_(rank),
      world_size_(world_size),
      flat_(at::zeros({Doubles(running_, world_size)}, at::kDouble)) {
  running_elements_ = flat_.numel() - kFaults - world_size_;
}

int64_t StepTail::Doubles(const std::vector<model::NamedTensor>& running_statistics,
                          int world_size) {
  int64_t doubles = kFaults + world_size;
  for (const model::NamedTensor& buffer : running_statistics) doubles += buffer.tensor.numel();
  return doubles;
}

StepTail::~StepTail() {
  if (in_flight_) (void)flat_.unsafeReleaseTensorImpl();
}

const double* StepTail::slots() const { return flat_.const_data_ptr<double>() + running_elements_; }

void StepTail::Fill(double weight, const LossParts& loss, Command command, int unsound_parameter) {
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
  const int fault = unsound_parameter < 0 ? 0 : 2 + unsound_parameter;
  slot[kFaults + rank_] = loss.finite() ? fault : 1;
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

std::optional<StepFault> StepTail::fault() const {
  for (int rank = 0; rank < world_size_; ++rank) {
    const int fault = static_cast<int>(slots()[kFaults + rank]);
    if (fault != 0) return StepFault{.rank = rank, .parameter = fault - 2};
  }
  return std::nullopt;
}

void StepTail::CopyTo(double* part) const {
  std::copy_n(flat_.const_data_ptr<double>(), flat_.numel(), part);
}

void StepTail::SetSum(const std::vector<const double*>& parts) {
  double* const sum = flat_.mutable_data_ptr<double>();
  std::copy_n(parts.front(), flat_.numel(), sum);
  for (size_t rank = 1; rank < parts.size(); ++rank) {
    for (int64_t i = 0; i < flat_.numel(); ++i) sum[i] += parts[rank][i];
  }
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
