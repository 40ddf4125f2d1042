#include "worker/train/trainer.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "common/base/status_macros.h"
#include "worker/model/torch_status.h"
#include "worker/train/device_mark.h"
#include "worker/train/same_weights.h"
#include "worker/train/trainer_implementation.h"

namespace ltml::train {
namespace {

enum Part : int { kTrunk, kBranchF, kBranchG };

Part PartOf(std::string_view name) {
  return name.starts_with("f.") ? kBranchF : name.starts_with("g.") ? kBranchG : kTrunk;
}

std::array<bool, 2> BranchesOf(const model::Network& network) {
  std::array<bool, 2> has_branch = {false, false};
  for (const model::NamedTensor& parameter : network.parameters()) {
    const Part part = PartOf(parameter.name);
    has_branch[statistics::kUniform] |= part == kBranchF;
    has_branch[statistics::kRebalanced] |= part == kBranchG;
  }
  return has_branch;
}

// Learnable compensation is ready with the branch that comes first in backward.
ParameterSet AllParameters(const model::Network& network, const CompensationSet& compensation) {
  ParameterSet set;
  for (const model::NamedTensor& parameter : network.parameters()) {
    const bool overwritten = network.OverwritesGradient(static_cast<int>(set.traits.size()));
    set.traits.push_back({.part = PartOf(parameter.name), .overwritten = overwritten});
    set.parameters.push_back(parameter);
  }
  const int last = set.traits.back().part;
  for (const model::NamedTensor& parameter : compensation.parameters()) {
    set.traits.push_back({.part = last});
    set.parameters.push_back(parameter);
  }
  return set;
}

// What travels with the last bucket.
std::vector<model::NamedTensor> RunningStatistics(const TrainerOptions& options,
                                                  const model::Network& network) {
  return options.frozen_batch_norm ? std::vector<model::NamedTensor>() : network.buffers();
}

ParameterMemoryOptions MemoryOptions(const TrainerOptions& options, const TrainerPorts& ports,
                                     const CompensationSet& compensation) {
  return {.layout = AllParameters(ports.network, compensation).LayOut(options.bucket_bytes),
          .type = ports.network.parameters().front().tensor.scalar_type(),
          .device = ports.network.parameters().front().tensor.device(),
          .second_moment = options.optimizer == OptimizerKind::kAdamW,
          .tail_doubles = StepTail::Doubles(RunningStatistics(options, ports.network),
                                            ports.collective.world_size())};
}

std::unique_ptr<Exchange> MakeExchange(const ParameterMemory& memory, Collective& collective) {
  return memory.shared() != nullptr ? MakeSharedExchange(memory)
                                    : MakeAllReduceExchange(memory, collective);
}

// Gradients that can be added over all ranks.
double LargestGradient(at::ScalarType type, int world_size) {
  const double largest = type == at::kDouble ? std::numeric_limits<double>::max()
                                             : double{std::numeric_limits<float>::max()};
  return largest / world_size;
}

bool HasClasses(const statistics::Compensation& compensation, size_t classes) {
  for (const auto& branch : compensation.branch_sign) {
    for (const statistics::ScaleShift& sign : branch) {
      if (sign.sigma.size() != classes || sign.mu.size() != classes) return false;
    }
  }
  return true;
}

absl::Status Require(bool condition, std::string_view what) {
  if (condition) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("trainer options: {}", what));
}

absl::Status CheckOptions(const TrainerOptions& options, const Collective& collective) {
  LTML_RETURN_IF_ERROR(Require(!options.rho.empty(), "rho has no class"));
  LTML_RETURN_IF_ERROR(Require(options.steps >= 1, "steps must be at least 1"));
  LTML_RETURN_IF_ERROR(Require(options.window >= 1, "the statistics window must be at least 1"));
  LTML_RETURN_IF_ERROR(Require(options.log_every_steps >= 1, "log_every_steps must be at least 1"));
  LTML_RETURN_IF_ERROR(Require(options.image_size >= 1, "image_size must be at least 1"));
  LTML_RETURN_IF_ERROR(Require(options.bucket_bytes >= 1, "bucket_bytes must be at least 1"));
  LTML_RETURN_IF_ERROR(Require(options.compensation != CompensationMode::kLabels ||
                                   HasClasses(options.fixed_compensation, options.rho.size()),
                               "the label compensation and rho have different numbers of classes"));
  LTML_RETURN_IF_ERROR(Require(
      options.global_batch >= collective.world_size(),
      fmt::format("a step of {} images cannot be shared by {} ranks: raise streams.global_batch or "
                  "lower resources.ranks",
                  options.global_batch, collective.world_size())));
  return statistics::CheckWindow(options.window, options.global_batch);
}

std::vector<model::NamedTensor> Detached(const std::vector<model::NamedTensor>& tensors) {
  std::vector<model::NamedTensor> views;
  for (const model::NamedTensor& named : tensors) {
    views.push_back({named.name, named.tensor.detach()});
  }
  return views;
}

// Buffers are small and many: they travel as one.
at::Tensor Gathered(const std::vector<model::NamedTensor>& buffers,
                    const at::TensorOptions& tensors) {
  at::Tensor flat = at::empty({0}, tensors);
  std::vector<at::Tensor> parts = {flat};
  for (const model::NamedTensor& buffer : buffers) parts.push_back(buffer.tensor.reshape(-1));
  return at::cat(parts);
}

void Scatter(const at::Tensor& flat, const std::vector<model::NamedTensor>& buffers) {
  int64_t offset = 0;
  for (const model::NamedTensor& buffer : buffers) {
    at::Tensor tensor = buffer.tensor;
    tensor.copy_(flat.narrow(0, offset, tensor.numel()).view(tensor.sizes()));
    offset += tensor.numel();
  }
}

}  // namespace

Trainer::Implementation::Implementation(const TrainerOptions& from, const TrainerPorts& to,
                                        std::array<bool, 2> has_branch)
    : options(from),
      ports(to),
      streams(static_cast<int>(has_branch[0]) + static_cast<int>(has_branch[1])),
      classes(static_cast<int>(from.rho.size())),
      tensors(to.network.parameters().front().tensor.options()),
      by_operators(from.by_operators || !tensors.device().is_cpu()),
      rho_K(at::tensor(from.rho, at::kDouble).to(tensors)),
      feed(to.batches, {.tensors = tensors,
                        .image_size = from.image_size,
                        .classes = classes,
                        .channels_last_pixels = from.channels_last_pixels,
                        .rank = to.collective.rank(),
                        .steps = from.steps,
                        .ahead = by_operators}),
      graph(by_operators ? to.graph : nullptr, tensors.device(), from.step_limit),
      compensation(from, classes, tensors, has_branch),
      memory(MemoryOptions(from, to, compensation), to.collective,
             by_operators ? ShareMemory() : to.share_memory),
      exchange(MakeExchange(memory, to.collective)),
      buckets(
          AllParameters(to.network, compensation), memory,
          {.largest = LargestGradient(tensors.dtype().toScalarType(), to.collective.world_size()),
           .by_operators = by_operators},
          [this](int bucket) {
            if (!graph.recording()) exchange->Start(bucket);
          }),
      optimizer(from, buckets, memory, by_operators),
      tail(RunningStatistics(from, to.network), to.collective.rank(), to.collective.world_size(),
           tensors.device()),
      windows(from.window, classes, from.statistics_decay, to.grants),
      moments(classes, tensors.device()) {}

Trainer::Trainer(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
Trainer::~Trainer() = default;

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(const TrainerOptions& options,
                                                         const TrainerPorts& ports) {
  LTML_RETURN_IF_ERROR(CheckOptions(options, ports.collective));
  const std::array<bool, 2> has_branch = BranchesOf(ports.network);
  LTML_RETURN_IF_ERROR(Require(has_branch[0] || has_branch[1], "the network has no branch"));
  return model::CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Trainer>> {
    return std::unique_ptr<Trainer>(
        new Trainer(std::make_unique<Implementation>(options, ports, has_branch)));
  });
}

absl::Status Trainer::BroadcastWeights(std::chrono::nanoseconds timeout) {
  return model::CatchTorch([&]() -> absl::Status {
    const at::NoGradGuard no_grad;
    Implementation& all = *implementation_;
    std::vector<at::Tensor> flat;
    if (all.completed > 0) flat = all.optimizer.FlatState();  // zero on all ranks before
    if (all.memory.shared() == nullptr) {
      for (const at::Tensor& values : all.memory.all(Plane::kValues)) flat.push_back(values);
    }
    const auto& buffers = all.ports.network.buffers();
    const at::Tensor gathered = Gathered(buffers, all.tensors);
    flat.push_back(gathered);
    LTML_RETURN_IF_ERROR(BroadcastFlat(flat, all.ports.collective, timeout));
    Scatter(gathered, buffers);
    LTML_RETURN_IF_ERROR(AwaitDevice(all.tensors.device(), "the weights of rank 0", timeout));
    return CheckSame(flat, all.ports.collective, timeout);
  });
}

absl::StatusOr<Command> Trainer::RunUntil(int64_t step) {
  return model::CatchTorch([&]() -> absl::StatusOr<Command> {
    Implementation& all = *implementation_;
    all.ports.monitor.Progress(Phase::kStep, all.completed, all.completed);
    while (all.completed < std::min(step, all.options.steps)) {
      LTML_ASSIGN_OR_RETURN(const Command command, all.Step());
      if (command == Command::kNone) continue;
      LTML_RETURN_IF_ERROR(all.MoveMoments());
      return command;
    }
    LTML_RETURN_IF_ERROR(all.MoveMoments());
    return Command::kNone;
  });
}

int64_t Trainer::step() const { return implementation_->completed; }

absl::StatusOr<StatisticsSnapshot> Trainer::SnapshotStatistics(std::chrono::nanoseconds timeout) {
  return implementation_->windows.Snapshot(implementation_->completed,
                                           implementation_->ports.collective, timeout);
}

const statistics::WindowSums& Trainer::open_window() const {
  return std::as_const(implementation_->windows).open();
}

absl::Status Trainer::GatherOptimizerState(std::chrono::nanoseconds timeout) {
  return model::CatchTorch([&] { return implementation_->exchange->GatherState(timeout); });
}

std::vector<model::NamedTensor> Trainer::OptimizerTensors() {
  return implementation_->optimizer.State();
}

std::vector<model::NamedTensor> Trainer::ModelTensors() {
  std::vector<model::NamedTensor> tensors = Detached(implementation_->buckets.parameters());
  for (const model::NamedTensor& buffer : implementation_->ports.network.buffers()) {
    tensors.push_back(buffer);
  }
  return tensors;
}

std::vector<model::NamedTensor> Trainer::GradientTensors() {
  const Implementation& all = *implementation_;
  std::vector<at::Tensor> sums;
  for (int i = 0; i < all.memory.buckets(); ++i) sums.push_back(all.exchange->SummedGradient(i));
  std::vector<model::NamedTensor> gradients;
  for (size_t i = 0; i < all.buckets.parameters().size(); ++i) {
    gradients.push_back(
        {all.buckets.parameters()[i].name, all.buckets.ViewLike(static_cast<int>(i), sums)});
  }
  return gradients;
}

absl::Status Trainer::Restore(const StatisticsSnapshot& statistics) {
  const int64_t steps = implementation_->options.steps;
  if (statistics.step < 0 || statistics.step > steps) {
    return absl::InvalidArgumentError(
        fmt::format("the checkpoint stands at step {}, the job has {} steps: raise schedule.steps",
                    statistics.step, steps));
  }
  LTML_RETURN_IF_ERROR(implementation_->windows.Restore(statistics));
  implementation_->completed = statistics.step;
  return absl::OkStatus();
}

}  // namespace ltml::train
