#include "worker/train/tail.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/status_macros.h"
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

// Where the host reads the slots.  Memory that a GPU writes by itself, else the copy would stop the
// host.
at::Tensor HostCopyOf(const at::Tensor& slots) {
  return slots.is_cpu() ? slots : slots.cpu().pin_memory();
}

}  // namespace

bool LossParts::finite() const {
  return std::isfinite(total) && std::isfinite(classification_uniform) &&
         std::isfinite(classification_rebalanced) && std::isfinite(consistency);
}

std::string LossParts::ToString() const {
  return fmt::format("total {}, uniform {}, re-balanced {}, consistency {}", total,
                     classification_uniform, classification_rebalanced, consistency);
}

StepTail::StepTail(std::vector<model::NamedTensor> running_statistics, int rank, int world_size,
                   at::Device device)
    : running_(std::move(running_statistics)),
      rank_(rank),
      world_size_(world_size),
      flat_(
          at::zeros({Doubles(running_, world_size)}, at::TensorOptions(device).dtype(at::kDouble))),
      slots_(flat_.narrow(0, flat_.numel() - kFaults - world_size, kFaults + world_size)),
      host_slots_(HostCopyOf(slots_)),
      fetched_(device) {
  for (const model::NamedTensor& buffer : running_) {
    running_tensors_.push_back(buffer.tensor);
    running_sizes_.push_back(buffer.tensor.numel());
    running_elements_ += buffer.tensor.numel();
  }
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

const double* StepTail::slots() const { return host_slots_.const_data_ptr<double>(); }

at::Tensor StepTail::GatherRunning() const {
  std::vector<at::Tensor> parts;
  for (const at::Tensor& buffer : running_tensors_) parts.push_back(buffer.reshape(-1));
  return at::cat(parts);
}

void StepTail::FillRunningStatistics(double weight) {
  flat_.zero_();
  if (running_.empty()) return;
  at::Tensor running = flat_.narrow(0, 0, running_elements_);
  running.copy_(GatherRunning());
  if (weight != 1.0) running.mul_(weight);
}

void StepTail::Fill(double weight, const LossParts& loss, Command command, int unsound_parameter) {
  const at::NoGradGuard no_grad;
  FillRunningStatistics(weight);
  double* slot = host_slots_.mutable_data_ptr<double>();
  slot[kTotal] = loss.total;
  slot[kUniform] = loss.classification_uniform;
  slot[kRebalanced] = loss.classification_rebalanced;
  slot[kConsistency] = loss.consistency;
  slot[kCheckpointBit] = rank_ == 0 && command == Command::kCheckpoint ? 1 : 0;
  slot[kStopBit] = rank_ == 0 && command == Command::kStop ? 1 : 0;
  const int fault = unsound_parameter < 0 ? 0 : 2 + unsound_parameter;
  slot[kFaults + rank_] = loss.finite() ? fault : 1;
}

void StepTail::Fill(double weight, const model::LossTerms& loss, const at::Tensor& unsound_code) {
  const at::NoGradGuard no_grad;
  FillRunningStatistics(weight);
  const at::Tensor parts = at::stack({loss.total, loss.classification_uniform,
                                      loss.classification_rebalanced, loss.consistency})
                               .to(at::kDouble);
  slots_.narrow(0, kTotal, kConsistency + 1).copy_(parts);
  const at::Tensor fault = unsound_code + unsound_code.gt(0);
  slots_.narrow(0, kFaults + rank_, 1)
      .copy_(at::where(parts.isfinite().all(), fault, at::ones_like(fault)));
}

void StepTail::SetCommand(Command command) {
  if (rank_ != 0 || command == Command::kNone) return;
  const at::NoGradGuard no_grad;
  slots_.narrow(0, command == Command::kStop ? kStopBit : kCheckpointBit, 1).fill_(1);
}

at::Tensor StepTail::Faulty() const {
  const at::NoGradGuard no_grad;
  return slots_.narrow(0, kFaults, world_size_).ne(0).any().to(at::kFloat);
}

void StepTail::BeginFetch() {
  const at::NoGradGuard no_grad;
  if (!flat_.is_cpu()) host_slots_.copy_(slots_, /*non_blocking=*/true);
  fetched_.Set();
}

absl::Status StepTail::Fetch(std::chrono::nanoseconds limit) {
  LTML_RETURN_IF_ERROR(fetched_.Await("the step's forward and backward pass", limit));
  in_flight_ = false;
  return absl::OkStatus();
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

void StepTail::StoreRunningStatistics(const at::Tensor& faulty) {
  if (running_.empty()) return;
  const at::NoGradGuard no_grad;
  at::Tensor running =
      flat_.narrow(0, 0, running_elements_).to(running_tensors_.front().scalar_type());
  if (faulty.defined()) running = at::where(faulty.ne(0), GatherRunning(), running);
  at::_foreach_copy_(running_tensors_, running.split_with_sizes(running_sizes_));
}

}  // namespace ltml::train
