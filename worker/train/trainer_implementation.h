#pragma once

#include <ATen/ATen.h>

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "worker/train/batch_feed.h"
#include "worker/train/compensation_set.h"
#include "worker/train/exchange.h"
#include "worker/train/gradient_buckets.h"
#include "worker/train/optimizer.h"
#include "worker/train/parameter_memory.h"
#include "worker/train/step_clock.h"
#include "worker/train/step_graph.h"
#include "worker/train/tail.h"
#include "worker/train/tensor_moments.h"
#include "worker/train/trainer.h"
#include "worker/train/windows.h"

namespace ltml::train {

// The step of docs/architecture.md.  May throw; Trainer catches.
struct Trainer::Implementation {
  Implementation(const TrainerOptions& options, const TrainerPorts& ports,
                 std::array<bool, 2> has_branch);

  // One step; returns the command that was agreed on.
  absl::StatusOr<Command> Step();
  std::vector<model::NamedTensor> Parameters() const;

  struct Pass {
    model::Logits logits;
    model::LossTerms loss;
  };
  absl::Status EnterWindow();
  absl::StatusOr<StepImages> NextImages();
  Pass ForwardBackward(const StepImages& images);
  absl::Status OnHost(const StepImages& images);
  absl::Status OnDevice(const StepImages& images);
  void LocalPart(const StepImages& images);
  double WeightOf(const StepImages& images) const;
  Command PolledCommand();
  // On the host, where a wait is over when it returns.
  absl::Status WaitForRanks(const std::function<absl::Status()>& wait);
  absl::Status Guard() const;
  void AddMoments(const StepImages& images, const model::Logits& logits);
  void AddMomentsOnDevice(const StepImages& images, const model::Logits& logits);
  absl::Status MoveMoments();
  void Report();
  void ReportStep();
  int64_t ImagesOfStep() const { return streams * options.global_batch; }

  const TrainerOptions options;
  const TrainerPorts ports;
  const int streams;
  const int classes;
  const at::TensorOptions tensors;  // type and device of the network
  const bool by_operators;
  const at::Tensor rho_K;
  BatchFeed feed;
  StepGraph graph;
  CompensationSet compensation;
  ParameterMemory memory;
  std::unique_ptr<Exchange> exchange;
  GradientBuckets buckets;
  Optimizer optimizer;
  StepTail tail;
  Windows windows;
  TensorMoments moments;  // by operators; not yet in `windows`
  StepClock clock;
  int64_t completed = 0;
};

}  // namespace ltml::train
