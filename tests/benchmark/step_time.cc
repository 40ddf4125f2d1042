// Time of a dual-branch training step on images that are in memory, one rank a process:
//   step_time [ARCHITECTURE [IMAGE_SIZE [GLOBAL_BATCH [THREADS [STEPS]]]]]
// alone or under mpirun.  Rank 0 prints {"median_ms": ..., "min_ms": ...}.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "worker/collective/collectives.h"
#include "worker/model/network.h"
#include "worker/train/trainer.h"

namespace ltml {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kClasses = 40;
constexpr int64_t kWarmUpSteps = 4;
constexpr std::chrono::seconds kLimit(120);

// The same images in every step: a pattern of no meaning, but of the right size.
class SameImages final : public train::BatchSource {
 public:
  SameImages(const train::TrainerOptions& options, int rank, int world_size) {
    const int64_t images =
        options.global_batch * (rank + 1) / world_size - options.global_batch * rank / world_size;
    batch_.uniform_images = batch_.rebalanced_images = images;
    batch_.pixels_B3HW.resize(2 * images * 3 * options.image_size * options.image_size);
    batch_.labels_BK.resize(2 * images * kClasses);
    batch_.images.resize(2 * images);
    uint32_t state = rank + 1;
    for (float& pixel : batch_.pixels_B3HW) {
      state = state * 1664525 + 1013904223;
      pixel = static_cast<float>(state >> 8) / static_cast<float>(1 << 23) - 1;
    }
    for (size_t i = 0; i < batch_.labels_BK.size(); ++i) batch_.labels_BK[i] = i % 11 == 0 ? 1 : 0;
  }
  absl::StatusOr<const train::Batch*> Next(int64_t step, std::chrono::nanoseconds) override {
    batch_.step = step;
    return &batch_;
  }

 private:
  train::Batch batch_;
};

class NeutralGrants final : public train::GrantSource {
 public:
  absl::StatusOr<train::Grant> Await(int64_t window, std::chrono::nanoseconds) override {
    train::Grant grant;
    grant.window = window;
    grant.end_step = int64_t{1} << 40;
    grant.compensation = statistics::Compensation::Neutral(kClasses);
    return grant;
  }
  void Report(int64_t, const statistics::WindowSums&) override {}
};

class SilentMonitor final : public train::Monitor {
 public:
  void Progress(train::Phase, int64_t, int64_t) override {}
  void Step(const train::StepReport&) override {}
  void Times(const train::RankTimes&) override {}
  train::Command Poll() override { return train::Command::kNone; }
};

struct Arguments {
  std::string architecture = "resnet18";
  int64_t image_size = 64, global_batch = 8, threads = 2, steps = 20;
};

Arguments Parse(int count, char** values) {
  Arguments arguments;
  if (count > 1) arguments.architecture = values[1];
  int64_t* const numbers[] = {&arguments.image_size, &arguments.global_batch, &arguments.threads,
                              &arguments.steps};
  for (int i = 2; i < std::min(count, 6); ++i) *numbers[i - 2] = std::atol(values[i]);
  return arguments;
}

absl::Status Run(const Arguments& arguments) {
  at::set_num_interop_threads(1);
  at::set_num_threads(static_cast<int>(arguments.threads));
  auto world = std::getenv("OMPI_COMM_WORLD_RANK") == nullptr
                   ? absl::StatusOr<std::unique_ptr<train::Collective>>(collective::MakeSingle())
                   : collective::MakeMpi(kLimit);
  if (!world.ok()) return world.status();
  model::NetworkOptions network_options;
  network_options.architecture = arguments.architecture == "resnet50"
                                     ? model::Architecture::kResnet50
                                     : model::Architecture::kResnet18;
  network_options.classes = kClasses;
  auto network = model::Network::Create(network_options, 1);
  if (!network.ok()) return network.status();
  train::TrainerOptions options;
  options.steps = kWarmUpSteps + arguments.steps;
  options.global_batch = arguments.global_batch;
  options.image_size = arguments.image_size;
  options.rho.assign(kClasses, 0.1);
  SameImages images(options, (*world)->rank(), (*world)->world_size());
  NeutralGrants grants;
  SilentMonitor monitor;
  auto trainer = train::Trainer::Create(options, **network, **world, grants, images, monitor);
  if (!trainer.ok()) return trainer.status();
  std::vector<double> times;
  for (int64_t step = 1; step <= options.steps; ++step) {
    const auto begin = Clock::now();
    if (const auto done = (*trainer)->RunUntil(step); !done.ok()) return done.status();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  times.erase(times.begin(), times.begin() + kWarmUpSteps);
  std::ranges::sort(times);
  if ((*world)->rank() == 0) {
    fmt::print("{{\"median_ms\": {:.3f}, \"min_ms\": {:.3f}}}\n", times[times.size() / 2],
               times.front());
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace ltml

int main(int count, char** values) {
  const absl::Status status = ltml::Run(ltml::Parse(count, values));
  if (!status.ok()) std::fprintf(stderr, "step_time: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
