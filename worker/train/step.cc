#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <span>

#include "common/base/status_macros.h"
#include "worker/train/schedule.h"
#include "worker/train/stopwatch.h"
#include "worker/train/trainer_implementation.h"

namespace ltml::train {
namespace {

using Clock = std::chrono::steady_clock;

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
  LTML_ASSIGN_OR_RETURN(const StepImages images, NextImages());
  LTML_RETURN_IF_ERROR(by_operators ? OnDevice(images) : OnHost(images));
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

absl::StatusOr<StepImages> Trainer::Implementation::NextImages() {
  const Clock::time_point begin = Clock::now();
  LTML_ASSIGN_OR_RETURN(StepImages images, feed.Next(completed, options.step_limit));
  clock.AddDataWait(begin, Clock::now());
  return images;
}

Trainer::Implementation::Pass Trainer::Implementation::ForwardBackward(const StepImages& images) {
  const at::AutoGradMode with_gradient(true);
  const model::Logits logits = options.frozen_batch_norm
                                   ? ports.network.ForwardFrozen(images.x_B3HW, images.uniform)
                                   : ports.network.Forward(images.x_B3HW, images.uniform);
  const model::LossTerms terms = model::Loss(
      logits, images.y_BK.narrow(0, 0, images.uniform),
      images.y_BK.narrow(0, images.uniform, images.rebalanced), rho_K, compensation.tensors(),
      {.weighting = options.weighting,
       .consistency = options.consistency,
       .global_batch = options.global_batch});
  buckets.Begin();
  terms.total.backward();
  buckets.StartRemaining();
  return {.logits = logits, .loss = terms};
}

double Trainer::Implementation::WeightOf(const StepImages& images) const {
  return static_cast<double>(images.rows()) / static_cast<double>(ImagesOfStep());
}

Command Trainer::Implementation::PolledCommand() {
  return ports.collective.rank() == 0 ? ports.monitor.Poll() : Command::kNone;
}

// Sums, looks, and then updates.
absl::Status Trainer::Implementation::OnHost(const StepImages& images) {
  const Pass pass = ForwardBackward(images);
  tail.Fill(WeightOf(images), PartsOf(pass.loss), PolledCommand(), buckets.unsound_parameter());
  LTML_RETURN_IF_ERROR(WaitForRanks([&]() -> absl::Status {
    LTML_RETURN_IF_ERROR(exchange->Combine(tail, options.step_limit));
    return exchange->Await(options.step_limit);
  }));
  buckets.Finish();
  tail.Finish();
  LTML_RETURN_IF_ERROR(Guard());
  tail.StoreRunningStatistics();
  optimizer.Step(completed, LearningRate(options, completed));
  AddMoments(images, pass.logits);
  return WaitForRanks([&] { return exchange->Settle(options.step_limit); });
}

absl::Status Trainer::Implementation::WaitForRanks(const std::function<absl::Status()>& wait) {
  Stopwatch waited(tensors.device());
  LTML_RETURN_IF_ERROR(wait());
  waited.Stop();
  clock.AddCollectiveWait(waited.Elapsed());
  return absl::OkStatus();
}

// What a step does without the other ranks and without a look at the host; it may be recorded.  The
// moments of a faulty step are never read.
void Trainer::Implementation::LocalPart(const StepImages& images) {
  const Pass pass = ForwardBackward(images);
  AddMomentsOnDevice(images, pass.logits);
  tail.Fill(WeightOf(images), pass.loss, buckets.UnsoundCode());
}

// Everything is given to the device before the host looks at anything; a fault that shows makes the
// update there one that changes nothing.  Each rank has weights of its own there, so that there is
// nothing to settle.
absl::Status Trainer::Implementation::OnDevice(const StepImages& images) {
  const StepGraph::Way way = graph.Run(images, [this](const StepImages& from) { LocalPart(from); });
  if (way == StepGraph::Way::kRecorded) buckets.StartAll();
  tail.SetCommand(PolledCommand());
  Stopwatch waited(tensors.device());
  LTML_RETURN_IF_ERROR(exchange->Combine(tail, options.step_limit));
  waited.Stop();
  const at::Tensor faulty = tail.Faulty();
  tail.BeginFetch();
  tail.StoreRunningStatistics(faulty);
  optimizer.Step(completed, LearningRate(options, completed), faulty);
  feed.Ahead(completed);
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

void Trainer::Implementation::AddMoments(const StepImages& images, const model::Logits& logits) {
  const auto split = static_cast<size_t>(images.uniform * classes);
  AddTo(windows.open(), statistics::kUniform, logits.u, images.labels_BK.first(split));
  AddTo(windows.open(), statistics::kRebalanced, logits.r, images.labels_BK.subspan(split));
}

void Trainer::Implementation::AddMomentsOnDevice(const StepImages& images,
                                                 const model::Logits& logits) {
  moments.Add(statistics::kUniform, logits.u, images.y_BK.narrow(0, 0, images.uniform));
  moments.Add(statistics::kRebalanced, logits.r,
              images.y_BK.narrow(0, images.uniform, images.rebalanced));
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
