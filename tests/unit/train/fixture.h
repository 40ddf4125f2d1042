#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/unit/train/unit.h"
#include "worker/collective/threads.h"
#include "worker/model/network.h"
#include "worker/train/trainer.h"

namespace ltml::train {

inline constexpr std::chrono::seconds kLimit(20);

// Images and labels that follow from stream and position, in slices as the real loader cuts them.
class FormulaBatches : public BatchSource {
 public:
  FormulaBatches(int64_t global_batch, int classes, int64_t size, int rank, int world_size)
      : global_batch_(global_batch),
        classes_(classes),
        size_(size),
        rank_(rank),
        world_(world_size) {}

  absl::StatusOr<const Batch*> Next(int64_t step, std::chrono::nanoseconds) override {
    batch_ = {};
    batch_.step = step;
    const int64_t begin = global_batch_ * rank_ / world_,
                  end = global_batch_ * (rank_ + 1) / world_;
    const int64_t images_of = period > 0 ? step % period : step;
    for (const char* stream : streams) {
      for (int64_t p = begin; p < end; ++p) Append(stream, images_of * global_batch_ + p);
      (std::string_view(stream) == "u" ? batch_.uniform_images : batch_.rebalanced_images) =
          end - begin;
    }
    if (step == spoil_step) batch_.pixels_B3HW[7] = std::nanf("");
    return &batch_;
  }

  std::vector<const char*> streams = {"u", "r"};
  int64_t spoil_step = -1;
  int64_t period = 0;  // after so many steps the same images come again; 0: never

 private:
  void Append(const std::string& stream, int64_t position) {
    const std::string name = stream + "/" + std::to_string(position);
    for (const double x : Unit("x/" + name, 3 * size_ * size_)) {
      batch_.pixels_B3HW.push_back(static_cast<float>(2 * x));
    }
    for (const double y : Unit("y/" + name, classes_)) batch_.labels_BK.push_back(y > 0.4 ? 1 : 0);
    batch_.images.push_back(position);
  }

  const int64_t global_batch_;
  const int classes_;
  const int64_t size_;
  const int rank_, world_;
  Batch batch_;
};

// The coordinator's side in memory: version w - 2 from all ranks' sums of the windows up to it.
class Coordinator {
 public:
  Coordinator(int world_size, int classes, double decay, int64_t window,
              const StatisticsSnapshot& start = {})
      : world_(world_size), classes_(classes), decay_(decay), first_(start.step / window) {
    const auto totals = start.totals_in_force.classes() == 0 ? statistics::DecayedTotals(classes)
                                                             : start.totals_in_force;
    totals_[first_] = totals_[first_ + 1] = totals;
    if (first_ > 0) totals_[first_ + 1].Fold(start.previous_window, decay_);
    sums_[first_] =
        start.open_window.classes() == 0 ? statistics::WindowSums(classes) : start.open_window;
  }

  absl::StatusOr<Grant> Await(int64_t window) {
    const absl::MutexLock lock(&mutex_);
    const auto ready = [&] { return totals_.contains(window); };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&ready), absl::Seconds(20))) {
      return absl::DeadlineExceededError("no grant");
    }
    Grant grant;
    grant.window = window;
    grant.end_step = 1 << 20;
    grant.version = window - 2;
    grant.totals = totals_[window];
    grant.compensation = statistics::Compensate(grant.totals, 50, statistics::Form::kRelative);
    return grant;
  }

  void Report(int64_t window, const statistics::WindowSums& sums) {
    const absl::MutexLock lock(&mutex_);
    if (sums_[window].classes() == 0) sums_[window] = statistics::WindowSums(classes_);
    sums_[window].Merge(sums);
    if (++reports_[window] < world_) return;
    totals_[window + 2] = totals_[window + 1];
    totals_[window + 2].Fold(sums_[window], decay_);
  }

 private:
  const int world_, classes_;
  const double decay_;
  const int64_t first_;
  absl::Mutex mutex_;
  std::map<int64_t, statistics::DecayedTotals> totals_;
  std::map<int64_t, statistics::WindowSums> sums_;
  std::map<int64_t, int> reports_;
};

class Grants : public GrantSource {
 public:
  explicit Grants(Coordinator& coordinator) : coordinator_(coordinator) {}
  absl::StatusOr<Grant> Await(int64_t window, std::chrono::nanoseconds) override {
    return coordinator_.Await(window);
  }
  void Report(int64_t window, const statistics::WindowSums& sums) override {
    coordinator_.Report(window, sums);
  }

 private:
  Coordinator& coordinator_;
};

class RecordingMonitor : public Monitor {
 public:
  void Progress(Phase, int64_t counter, int64_t) override { last_counter = counter; }
  void Step(const StepReport& report) override { reports.push_back(report); }
  void Times(const RankTimes& since_last) override { times.push_back(since_last); }
  Command Poll() override { return ++polls == command_at ? command : Command::kNone; }

  std::vector<StepReport> reports;
  std::vector<RankTimes> times;
  int64_t last_counter = -1;
  int polls = 0;
  int command_at = -1;
  Command command = Command::kNone;
};

inline model::NetworkOptions SmallNetwork(int classes, at::ScalarType type) {
  model::NetworkOptions options;
  options.architecture = model::Architecture::kResnet18;
  options.width = 8;
  options.classes = classes;
  options.type = type;
  return options;
}

// A small job on one rank: network, ports, trainer.
struct JobSetup {
  TrainerOptions options;
  model::NetworkOptions network = SmallNetwork(4, at::kDouble);
  JobSetup() {
    options.rho = {0.5, 0.2, 0.1, 0.05};
    options.global_batch = 5;
    options.image_size = 32;
    options.steps = 100;
    options.window = 3;
    options.milestones = {};
    options.log_every_steps = 1;
    options.frozen_batch_norm = true;
    options.step_limit = options.grant_limit = kLimit;
  }
};

struct RankJob {
  RankJob(const JobSetup& setup, Collective& collective, Coordinator& coordinator,
          ShareMemory share_memory = {}, GraphRecorder* graph = nullptr)
      : network(model::Network::Create(setup.network, 17).value()),
        batches(setup.options.global_batch, setup.network.classes, setup.options.image_size,
                collective.rank(), collective.world_size()),
        grants(coordinator),
        trainer(Trainer::Create(setup.options, {*network, collective, grants, batches, monitor,
                                                std::move(share_memory), graph})
                    .value()) {}

  std::unique_ptr<model::Network> network;
  FormulaBatches batches;
  Grants grants;
  RecordingMonitor monitor;
  std::unique_ptr<Trainer> trainer;
};

inline std::vector<model::NamedTensor> Copied(std::vector<model::NamedTensor> tensors) {
  for (model::NamedTensor& named : tensors) named.tensor = named.tensor.detach().cpu().clone();
  return tensors;
}

// Weights, running statistics and the optimiser's moments.
inline std::vector<model::NamedTensor> StateOf(Trainer& trainer) {
  std::vector<model::NamedTensor> state = Copied(trainer.ModelTensors());
  for (const model::NamedTensor& named : Copied(trainer.OptimizerTensors())) state.push_back(named);
  return state;
}

// To the last bit.
inline void ExpectSame(const std::vector<model::NamedTensor>& got,
                       const std::vector<model::NamedTensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(at::equal(got[i].tensor, expected[i].tensor)) << got[i].name;
  }
}

inline void ExpectSameLosses(const std::vector<StepReport>& got,
                             const std::vector<StepReport>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].loss, expected[i].loss) << "step " << i + 1;
  }
}

// Runs `body` as rank 0 .. world_size - 1, each on a thread.
inline void RunRanks(int world_size, const std::function<void(Collective&)>& body) {
  auto members = collective::MakeThreads(world_size);
  std::vector<std::thread> threads;
  for (auto& member : members) {
    threads.emplace_back([&body, &member] {
      at::set_num_threads(1);
      body(*member);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace ltml::train
