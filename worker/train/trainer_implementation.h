#pragma once

#include <ATen/ATen.h>

#include <array>
#include <vector>

#include "worker/train/compensation_set.h"
#include "worker/train/gradient_buckets.h"
#include "worker/train/optimizer.h"
#include "worker/train/step_clock.h"
#include "worker/train/tail.h"
#include "worker/train/trainer.h"
#include "worker/train/windows.h"

namespace ltml::train {

// All that the trainer stands on.
struct TrainerPorts {
  model::Network& network;
  Collective& collective;
  GrantSource& grants;
  BatchSource& batches;
  Monitor& monitor;
};

// The step of docs/architecture.md.  May throw; Trainer catches.
struct Trainer::Implementation {
  Implementation(const TrainerOptions& options, const TrainerPorts& ports,
                 std::array<bool, 2> has_branch);

  // One step; returns the command that was agreed on.
  absl::StatusOr<Command> Step();
  std::vector<model::NamedTensor> Parameters() const;

  struct Pass {
    model::Logits logits;
    LossParts loss;
  };
  absl::Status EnterWindow();
  absl::StatusOr<const Batch*> NextBatch();
  absl::Status CheckBatch(const Batch& batch) const;
  Pass ForwardBackward(const Batch& batch);
  absl::Status Reduce(const Batch& batch, const LossParts& loss);
  absl::Status Guard() const;
  void Apply(const Batch& batch, const model::Logits& logits);
  void Report();
  void ReportStep();
  int64_t ImagesOfStep() const { return streams * options.global_batch; }

  const TrainerOptions options;
  const TrainerPorts ports;
  const int streams;
  const int classes;
  const at::ScalarType type;
  const at::Tensor rho_K;
  CompensationSet compensation;
  GradientBuckets buckets;
  Optimizer optimizer;
  StepTail tail;
  Windows windows;
  StepClock clock;
  int64_t completed = 0;
};

}  // namespace ltml::train
