#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/statistics/statistics.h"
#include "worker/model/loss.h"
#include "worker/model/network.h"
#include "worker/train/batch_source.h"
#include "worker/train/collective.h"
#include "worker/train/grant_source.h"
#include "worker/train/shared_memory.h"

namespace ltml::train {

class GraphRecorder;

enum class OptimizerKind { kSgd, kAdamW };
enum class Decay { kStep, kCosine };
enum class CompensationMode { kStatistics, kLabels, kLearnable, kNone };

struct TrainerOptions {
  OptimizerKind optimizer = OptimizerKind::kSgd;
  double learning_rate = 0.02, momentum = 0.9, weight_decay = 1e-4;
  double beta1 = 0.9, beta2 = 0.999;
  bool decay_norm = true;

  int64_t steps = 1;
  int64_t warmup_steps = 0;
  double warmup_start = 1.0 / 3;
  Decay decay = Decay::kStep;
  std::vector<double> milestones = {0.625, 0.875};

  int64_t global_batch = 1;       // per stream
  int64_t window = 20;            // steps of a statistics window
  double statistics_decay = 0.9;  // beta; a checkpoint at the end of a window folds with it
  CompensationMode compensation = CompensationMode::kStatistics;
  // Mode kLabels: the constants.
  statistics::Compensation fixed_compensation;
  model::Weighting weighting = model::Weighting::kFrequency;
  double consistency = 0.1;
  std::vector<double> rho;  // [K]
  int64_t image_size = 224;
  int64_t log_every_steps = 10;
  int64_t bucket_bytes = int64_t{25} << 20;

  std::chrono::nanoseconds step_limit = std::chrono::seconds(300);
  std::chrono::nanoseconds grant_limit = std::chrono::seconds(120);
  // The parts of a step outside the network by operators of LibTorch in place of loops of ours.  On
  // a GPU that is so anyway; on the processor it is for tests.
  bool by_operators = false;
  // Pixels of a batch are [B, H, W, 3].
  bool channels_last_pixels = false;
  // Tests: batch norm in evaluation mode, so that a batch's split does not matter.
  bool frozen_batch_norm = false;
};

// The statistics of the streams as a checkpoint keeps them (docs/details.md, resume).
struct StatisticsSnapshot {
  int64_t step = 0;
  statistics::DecayedTotals totals_in_force;  // in force in the window of `step`
  statistics::WindowSums previous_window;     // global
  statistics::WindowSums open_window;         // global, so far
};

// All that the trainer stands on; everything must outlive it.
struct TrainerPorts {
  model::Network& network;
  Collective& collective;
  GrantSource& grants;
  BatchSource& batches;
  Monitor& monitor;
  // Where it gives memory, ranks exchange gradients and weights through it; empty: never.
  ShareMemory share_memory{};
  // By operators: steps are recorded and given to the device as one where it is not null
  // (step_graph.h).
  GraphRecorder* graph = nullptr;
};

// Data-parallel training, one object a rank.  Gradients are summed over ranks in flat buckets
// (exchange.h); batch norm's running statistics, loss parts and the control word travel with the
// last bucket.
// Created, it moves the network's parameters into its own memory; one Trainer a network at a time.
// Exceptions of the tensor library become statuses: ResourceExhausted for memory, Internal
// otherwise.  After an error the object is of no more use.  Not thread-safe.
class Trainer {
 public:
  // Options of all ranks are the same.  InvalidArgument names an option that makes no sense.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(const TrainerOptions& options,
                                                         const TrainerPorts& ports);
  ~Trainer();

  // Before the first step: sends rank 0's parameters, which ranks with shared memory have in
  // common, buffers and, after Restore, optimiser state to all ranks, and checks by digest that all
  // hold the same.  Internal names the rank that does not.
  absl::Status BroadcastWeights(std::chrono::nanoseconds timeout);

  // Trains until `step` steps are completed or a command is agreed on, which is returned; the step
  // at whose end it was agreed on is completed.  A non-finite loss or gradient is OutOfRange with
  // rank, step and loss parts, on all ranks alike; nothing of that step is applied.
  absl::StatusOr<Command> RunUntil(int64_t step);

  int64_t step() const;  // completed
  // After RunUntil, on all ranks: sums over ranks.
  absl::StatusOr<StatisticsSnapshot> SnapshotStatistics(std::chrono::nanoseconds timeout);
  // This rank's sums of the window of the last completed step (for `finished`), never the resumed
  // part.  After the last step that is window (steps - 1) / window, whole or short.
  const statistics::WindowSums& open_window() const;

  // Makes the optimiser's state whole on every rank; to be called by all of them together before
  // OptimizerTensors are read, unless they share no memory.
  absl::Status GatherOptimizerState(std::chrono::nanoseconds timeout);
  // Optimiser state as named tensors ("momentum.<parameter>", "adam_m.", "adam_v."; parameters as
  // in ModelTensors); views, valid while training rests.
  std::vector<model::NamedTensor> OptimizerTensors();
  // The tensors of model.safetensors: parameters, buffers, learnable sigma and mu
  // ("compensation.<uniform|rebalanced>.<positive|negative>.<sigma|mu>"); views.
  std::vector<model::NamedTensor> ModelTensors();
  // The last step's gradients, summed over ranks, without weight decay; while all ranks rest.
  std::vector<model::NamedTensor> GradientTensors();
  // Before the first RunUntil, after ModelTensors and OptimizerTensors were overwritten in place.
  absl::Status Restore(const StatisticsSnapshot& statistics);

 private:
  struct Implementation;
  explicit Trainer(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace ltml::train
