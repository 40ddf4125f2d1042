#include "worker/train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "common/base/status_macros.h"
#include "worker/model/torch_status.h"
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

std::vector<model::NamedTensor> AllParameters(const model::Network& network,
                                              const CompensationSet& compensation) {
  std::vector<model::NamedTensor> all = network.parameters();
  all.insert(all.end(), compensation.parameters().begin(), compensation.parameters().end());
  return all;
}

// Learnable compensation is ready with the branch that comes first in backward.
std::vector<GradientBuckets::Trait> TraitsOf(const model::Network& network, size_t count) {
  std::vector<GradientBuckets::Trait> traits;
  for (const model::NamedTensor& parameter : network.parameters()) {
    const bool overwritten = network.OverwritesGradient(static_cast<int>(traits.size()));
    traits.push_back({.part = PartOf(parameter.name), .overwritten = overwritten});
  }
  traits.resize(count, {.part = traits.back().part});
  return traits;
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
at::Tensor Gathered(const std::vector<model::NamedTensor>& buffers, at::ScalarType type) {
  at::Tensor flat = at::empty({0}, type);
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
      type(to.network.parameters().front().tensor.scalar_type()),
      rho_K(at::tensor(from.rho, at::kDouble).to(type)),
      compensation(from, classes, type, has_branch),
      buckets(
          AllParameters(to.network, compensation),
          TraitsOf(to.network, to.network.parameters().size() + compensation.parameters().size()),
          from.bucket_bytes, to.collective),
      optimizer(from, buckets),
      tail(from.frozen_batch_norm ? std::vector<model::NamedTensor>() : to.network.buffers(),
           to.collective.rank(), to.collective.world_size()),
      windows(from.window, classes, from.statistics_decay, to.grants) {}

Trainer::Trainer(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
Trainer::~Trainer() = default;

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(const TrainerOptions& options,
                                                         model::Network& network,
                                                         Collective& collective,
                                                         GrantSource& grants, BatchSource& batches,
                                                         Monitor& monitor) {
  LTML_RETURN_IF_ERROR(CheckOptions(options, collective));
  const std::array<bool, 2> has_branch = BranchesOf(network);
  LTML_RETURN_IF_ERROR(Require(has_branch[0] || has_branch[1], "the network has no branch"));
  const TrainerPorts ports{network, collective, grants, batches, monitor};
  return model::CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Trainer>> {
    return std::unique_ptr<Trainer>(
        new Trainer(std::make_unique<Implementation>(options, ports, has_branch)));
  });
}

absl::Status Trainer::BroadcastWeights(std::chrono::nanoseconds timeout) {
  return model::CatchTorch([&]() -> absl::Status {
    const at::NoGradGuard no_grad;
    Implementation& all = *implementation_;
    std::vector<at::Tensor> flat = all.optimizer.FlatState();
    for (int i = 0; i < all.buckets.buckets(); ++i) flat.push_back(all.buckets.values(i));
    const auto& buffers = all.ports.network.buffers();
    const at::Tensor gathered = Gathered(buffers, all.type);
    flat.push_back(gathered);
    LTML_RETURN_IF_ERROR(BroadcastFlat(flat, all.ports.collective, timeout));
    Scatter(gathered, buffers);
    return CheckSame(flat, all.ports.collective, timeout);
  });
}

absl::StatusOr<Command> Trainer::RunUntil(int64_t step) {
  return model::CatchTorch([&]() -> absl::StatusOr<Command> {
    Implementation& all = *implementation_;
    all.ports.monitor.Progress(Phase::kStep, all.completed, all.completed);
    while (all.completed < std::min(step, all.options.steps)) {
      LTML_ASSIGN_OR_RETURN(const Command command, all.Step());
      if (command != Command::kNone) return command;
    }
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
  const GradientBuckets& buckets = implementation_->buckets;
  std::vector<model::NamedTensor> gradients;
  for (size_t i = 0; i < buckets.parameters().size(); ++i) {
    gradients.push_back({buckets.parameters()[i].name,
                         buckets.ViewLike(static_cast<int>(i), buckets.all_gradients())});
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
