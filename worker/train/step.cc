#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <optional>
#include <span>

#include "common/base/status_macros.h"
#include "worker/train/schedule.h"
#include "worker/train/stopwatch.h"
#include "worker/train/trainer_implementation.h"

namespace ltml::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr bool kNonBlocking = true;

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

void AddTo(statistics::WindowSums& sums, statistics::Branch branch, const at::Tensor& logits_BK,
           std::span<const float> labels_BK) {
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
  LTML_RETURN_IF_ERROR(by_operators ? FinishOnDevice(*batch, pass) : FinishOnHost(*batch, pass));
  ++completed;
  clock.AddStep(begin, Clock::now(), ImagesOfStep());
  ports.monitor.Progress(Phase::kStep, completed, completed);
  Report();
  return tail.command();
}

absl::Status Trainer::Implementation::EnterWindow() {
  const Clock::time_point begin = Clock::now();
  if (completed % options.window == 0) LTML_RETURN_IF_ERROR(MoveMoments());
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

// A copy to a GPU goes on by itself where the batch lies in pinned memory.
at::Tensor Trainer::Implementation::PixelsOf(const Batch& batch) const {
  const int64_t images = batch.uniform_images + batch.rebalanced_images;
  const int64_t size = options.image_size;
  if (!options.channels_last_pixels) {
    return TensorOver(batch.pixels_B3HW, {images, 3, size, size}).to(tensors, kNonBlocking);
  }
  return TensorOver(batch.pixels_B3HW, {images, size, size, 3})
      .to(tensors, kNonBlocking)
      .permute({0, 3, 1, 2});
}

Trainer::Implementation::Pass Trainer::Implementation::ForwardBackward(const Batch& batch) {
  const at::AutoGradMode with_gradient(true);
  const int64_t images = batch.uniform_images + batch.rebalanced_images;
  const at::Tensor x_B3HW = PixelsOf(batch);
  const at::Tensor y_BK = TensorOver(batch.labels_BK, {images, classes}).to(tensors, kNonBlocking);
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
  return {.y_BK = y_BK, .logits = logits, .loss = terms};
}

double Trainer::Implementation::WeightOf(const Batch& batch) const {
  return static_cast<double>(batch.uniform_images + batch.rebalanced_images) /
         static_cast<double>(ImagesOfStep());
}

Command Trainer::Implementation::PolledCommand() {
  return ports.collective.rank() == 0 ? ports.monitor.Poll() : Command::kNone;
}

UpdateTime Trainer::Implementation::TimeOfUpdate() const {
  return {.step = completed,
          .learning_rate = LearningRate(options, completed),
          .limit = options.step_limit};
}

// Sums, looks, and then updates.
absl::Status Trainer::Implementation::FinishOnHost(const Batch& batch, const Pass& pass) {
  tail.Fill(WeightOf(batch), PartsOf(pass.loss), PolledCommand(), buckets.unsound_parameter());
  Stopwatch waited(tensors.device());
  LTML_RETURN_IF_ERROR(exchange->Combine(tail, options.step_limit));
  LTML_RETURN_IF_ERROR(exchange->Await(options.step_limit));
  waited.Stop();
  clock.AddCollectiveWait(waited.Elapsed());
  buckets.Finish();
  tail.Finish();
  LTML_RETURN_IF_ERROR(Guard());
  tail.StoreRunningStatistics();
  LTML_RETURN_IF_ERROR(exchange->Update(optimizer, TimeOfUpdate()));
  AddMoments(batch, pass.logits);
  return absl::OkStatus();
}

// Everything is given to the device before the host looks at anything; a fault that shows makes the
// update there one that changes nothing.  The moments of a faulty step are never read.
absl::Status Trainer::Implementation::FinishOnDevice(const Batch& batch, const Pass& pass) {
  AddMomentsOnDevice(batch, pass);
  tail.Fill(WeightOf(batch), pass.loss, buckets.UnsoundCode());
  tail.SetCommand(PolledCommand());
  Stopwatch waited(tensors.device());
  LTML_RETURN_IF_ERROR(exchange->Combine(tail, options.step_limit));
  waited.Stop();
  UpdateTime time = TimeOfUpdate();
  time.faulty = tail.Faulty();
  tail.BeginFetch();
  tail.StoreRunningStatistics(time.faulty);
  LTML_RETURN_IF_ERROR(exchange->Update(optimizer, time));
  LTML_RETURN_IF_ERROR(exchange->Await(options.step_limit));
  LTML_RETURN_IF_ERROR(tail.Fetch(options.step_limit));
  buckets.Finish();
  clock.AddCollectiveWait(waited.Elapsed());
  return Guard();
}

// Works on summed values alone, so every rank decides alike without another collective.
absl::Status Trainer::Implementation::Guard() const {
  const std::optional<StepFault> fault = tail.fault();
  if (!fault) return absl::OkStatus();
  if (fault->parameter < 0) {
    return absl::OutOfRangeError(fmt::format(
        "rank {}: the loss of step {} is not finite ({}): lower optimizer.learning_rate, lengthen "
        "schedule.warmup_steps, or check the images of that step",
        fault->rank, completed + 1, tail.loss().ToString()));
  }
  return absl::OutOfRangeError(fmt::format(
      "rank {}: the gradient of {} is not finite in step {} ({}): lower optimizer.learning_rate or "
      "lengthen schedule.warmup_steps",
      fault->rank, buckets.parameters()[fault->parameter].name, completed + 1,
      tail.loss().ToString()));
}

void Trainer::Implementation::AddMoments(const Batch& batch, const model::Logits& logits) {
  const std::span<const float> labels_BK = batch.labels_BK;
  const auto split = static_cast<size_t>(batch.uniform_images * classes);
  AddTo(windows.open(), statistics::kUniform, logits.u, labels_BK.first(split));
  AddTo(windows.open(), statistics::kRebalanced, logits.r, labels_BK.subspan(split));
}

void Trainer::Implementation::AddMomentsOnDevice(const Batch& batch, const Pass& pass) {
  const int64_t uniform = batch.uniform_images;
  moments.Add(statistics::kUniform, pass.logits.u, pass.y_BK.narrow(0, 0, uniform));
  moments.Add(statistics::kRebalanced, pass.logits.r,
              pass.y_BK.narrow(0, uniform, batch.rebalanced_images));
}

absl::Status Trainer::Implementation::MoveMoments() {
  if (!by_operators) return absl::OkStatus();
  return moments.MoveTo(windows.open(), options.step_limit);
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
