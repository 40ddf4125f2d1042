#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <span>

#include "common/base/status_macros.h"
#include "worker/train/schedule.h"
#include "worker/train/trainer_implementation.h"

namespace ltml::train {
namespace {

using Clock = std::chrono::steady_clock;

// Memory of a batch as a tensor, without a copy.  Torch has no view of constants.
at::Tensor TensorOver(std::span<const float> values, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
}

double ValueOf(const at::Tensor& scalar) { return scalar.defined() ? scalar.item<double>() : 0.0; }

LossParts PartsOf(const model::LossTerms& terms) {
  return {.total = ValueOf(terms.total),
          .classification_uniform = ValueOf(terms.classification_uniform),
          .classification_rebalanced = ValueOf(terms.classification_rebalanced),
          .consistency = ValueOf(terms.consistency)};
}

void AddMoments(const at::Tensor& logits_BK, statistics::Branch branch,
                std::span<const float> labels_BK, statistics::WindowSums& sums) {
  if (!logits_BK.defined() || logits_BK.numel() == 0) return;
  const at::Tensor z_BK = logits_BK.detach().to(at::kFloat).contiguous();
  sums.Add(branch, std::span(z_BK.const_data_ptr<float>(), static_cast<size_t>(z_BK.numel())),
           labels_BK);
}

}  // namespace

absl::StatusOr<Command> Trainer::Implementation::Step() {
  const Clock::time_point begin = Clock::now();
  LTML_RETURN_IF_ERROR(EnterWindow());
  LTML_ASSIGN_OR_RETURN(const Batch* batch, NextBatch());
  const Pass pass = ForwardBackward(*batch);
  LTML_RETURN_IF_ERROR(Reduce(*batch, pass.loss));
  LTML_RETURN_IF_ERROR(Guard());
  Apply(*batch, pass.logits);
  clock.AddStep(begin, Clock::now(), ImagesOfStep());
  ports.monitor.Progress(Phase::kStep, completed, completed);
  Report();
  return tail.command();
}

absl::Status Trainer::Implementation::EnterWindow() {
  const Clock::time_point begin = Clock::now();
  LTML_ASSIGN_OR_RETURN(const Grant* grant, windows.Enter(completed, options.grant_limit));
  if (grant == nullptr) return absl::OkStatus();
  compensation.Renew(grant->compensation);
  clock.AddGrantWait(begin, Clock::now());
  return absl::OkStatus();
}

absl::StatusOr<const Batch*> Trainer::Implementation::NextBatch() {
  const Clock::time_point begin = Clock::now();
  LTML_ASSIGN_OR_RETURN(const Batch* batch, ports.batches.Next(completed, options.step_limit));
  clock.AddDataWait(begin, Clock::now());
  LTML_RETURN_IF_ERROR(CheckBatch(*batch));
  return batch;
}

absl::Status Trainer::Implementation::CheckBatch(const Batch& batch) const {
  const int64_t images = batch.uniform_images + batch.rebalanced_images;
  const int64_t pixels = images * 3 * options.image_size * options.image_size;
  if (batch.step == completed && images > 0 && std::ssize(batch.pixels_B3HW) == pixels &&
      std::ssize(batch.labels_BK) == images * classes) {
    return absl::OkStatus();
  }
  return absl::InternalError(fmt::format(
      "rank {} asked for the images of step {} and got step {}: {} + {} images, {} pixel values "
      "(expected {}), {} labels (expected {})",
      ports.collective.rank(), completed, batch.step, batch.uniform_images, batch.rebalanced_images,
      batch.pixels_B3HW.size(), pixels, batch.labels_BK.size(), images * classes));
}

Trainer::Implementation::Pass Trainer::Implementation::ForwardBackward(const Batch& batch) {
  const at::AutoGradMode with_gradient(true);
  const int64_t images = batch.uniform_images + batch.rebalanced_images;
  const at::Tensor x_B3HW =
      TensorOver(batch.pixels_B3HW, {images, 3, options.image_size, options.image_size}).to(type);
  const at::Tensor y_BK = TensorOver(batch.labels_BK, {images, classes}).to(type);
  const model::Logits logits = options.frozen_batch_norm
                                   ? ports.network.ForwardFrozen(x_B3HW, batch.uniform_images)
                                   : ports.network.Forward(x_B3HW, batch.uniform_images);
  const model::LossTerms terms = model::Loss(
      logits, y_BK.narrow(0, 0, batch.uniform_images),
      y_BK.narrow(0, batch.uniform_images, batch.rebalanced_images), rho_K, compensation.tensors(),
      {.weighting = options.weighting,
       .consistency = options.consistency,
       .global_batch = options.global_batch});
  buckets.Begin();
  terms.total.backward();
  buckets.StartRemaining();
  return {.logits = logits, .loss = PartsOf(terms)};
}

absl::Status Trainer::Implementation::Reduce(const Batch& batch, const LossParts& loss) {
  const double weight = static_cast<double>(batch.uniform_images + batch.rebalanced_images) /
                        static_cast<double>(ImagesOfStep());
  const Command command = ports.collective.rank() == 0 ? ports.monitor.Poll() : Command::kNone;
  tail.Fill(weight, loss, command);
  const Collective::Ticket ticket = tail.Start(ports.collective);
  const Clock::time_point begin = Clock::now();
  LTML_RETURN_IF_ERROR(ports.collective.Wait(ticket, options.step_limit));
  clock.AddCollectiveWait(begin, Clock::now());
  buckets.Finish();
  tail.Finish();
  return absl::OkStatus();
}

// Works on reduced values alone, so every rank decides alike without another collective.
absl::Status Trainer::Implementation::Guard() const {
  const int rank = tail.non_finite_rank();
  if (rank >= 0) {
    return absl::OutOfRangeError(fmt::format(
        "rank {}: the loss of step {} is not finite ({}): lower optimizer.learning_rate, lengthen "
        "schedule.warmup_steps, or check the images of that step",
        rank, completed + 1, tail.loss().ToString()));
  }
  const std::string parameter = buckets.FirstNonFinite();
  if (parameter.empty()) return absl::OkStatus();
  return absl::OutOfRangeError(fmt::format(
      "rank {}: the gradient of {}, summed over {} ranks, is not finite in step {} ({}): lower "
      "optimizer.learning_rate or lengthen schedule.warmup_steps",
      ports.collective.rank(), parameter, ports.collective.world_size(), completed + 1,
      tail.loss().ToString()));
}

void Trainer::Implementation::Apply(const Batch& batch, const model::Logits& logits) {
  tail.StoreRunningStatistics();
  optimizer.Step(completed, LearningRate(options, completed));
  const std::span<const float> labels_BK = batch.labels_BK;
  const size_t uniform = static_cast<size_t>(batch.uniform_images * classes);
  AddMoments(logits.u, statistics::kUniform, labels_BK.first(uniform), windows.open());
  AddMoments(logits.r, statistics::kRebalanced, labels_BK.subspan(uniform), windows.open());
  ++completed;
}

void Trainer::Implementation::Report() {
  const bool due =
      completed == 1 || completed % options.log_every_steps == 0 || completed == options.steps;
  if (!due) return;
  ports.monitor.Times(clock.times());
  if (ports.collective.rank() == 0) ReportStep();
  clock.Restart();
}

void Trainer::Implementation::ReportStep() {
  const LossParts loss = tail.loss();
  ports.monitor.Step({.step = completed,
                      .loss = loss.total,
                      .classification_uniform = loss.classification_uniform,
                      .classification_rebalanced = loss.classification_rebalanced,
                      .consistency = loss.consistency,
                      .learning_rate = LearningRate(options, completed - 1),
                      .images_per_second = clock.images_per_second(),
                      .data_wait_ratio = clock.data_wait_ratio(),
                      .grant_wait_seconds = clock.grant_wait_seconds()});
}

}  // namespace ltml::train
