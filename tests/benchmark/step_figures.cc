// Time of a dual-branch training step on images that are in memory, one rank a process:
//   step_figures [ARCHITECTURE [IMAGE_SIZE [GLOBAL_BATCH [THREADS [STEPS [BUCKET_BYTES
//     [DEVICE [PRECISION]]]]]]]]
// alone or under mpirun.  With BUCKET_BYTES ranks sum buckets of that size by all-reduce, else they
// share memory.  Rank 0 prints one line of JSON.  peers/step.py does the same.
// DEVICE "cuda" is for gpu_step_figures, which is this program with the GPU part.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "tests/benchmark/process.h"
#include "worker/app/device.h"
#include "worker/collective/collectives.h"
#include "worker/collective/shared_memory.h"
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
  SameImages(const train::TrainerOptions& options, int rank, int world_size,
             std::pmr::memory_resource* memory)
      : batch_(memory) {
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

// When each step was over for the host: with a GPU, between two steps of a run nobody waits for it.
class TimingMonitor final : public train::Monitor {
 public:
  void Progress(train::Phase, int64_t, int64_t) override { ends_.push_back(Clock::now()); }
  void Step(const train::StepReport&) override {}
  void Times(const train::RankTimes&) override {}
  train::Command Poll() override { return train::Command::kNone; }

  // Of the steps after the first `left_out`.  The first call of Progress was the start.
  std::vector<double> Milliseconds(int64_t left_out) const {
    std::vector<double> times;
    for (size_t i = left_out + 1; i < ends_.size(); ++i) {
      times.push_back(std::chrono::duration<double, std::milli>(ends_[i] - ends_[i - 1]).count());
    }
    return times;
  }

 private:
  std::vector<Clock::time_point> ends_;
};

struct Arguments {
  std::string architecture = "resnet18";
  int64_t image_size = 64, global_batch = 8, threads = 2, steps = 20, bucket_bytes = 0;
  std::string device = "cpu", precision = "float32";
};

Arguments Parse(int count, char** values) {
  Arguments arguments;
  if (count > 1) arguments.architecture = values[1];
  int64_t* const numbers[] = {&arguments.image_size, &arguments.global_batch, &arguments.threads,
                              &arguments.steps, &arguments.bucket_bytes};
  for (int i = 2; i < std::min(count, 7); ++i) *numbers[i - 2] = std::atol(values[i]);
  if (count > 7) arguments.device = values[7];
  if (count > 8) arguments.precision = values[8];
  return arguments;
}

// What OpenDevice asks a job for.
v1::WorkerTask TaskOf(const Arguments& arguments) {
  v1::WorkerTask task;
  v1::JobSpec& job = *task.mutable_job();
  job.mutable_resources()->set_device(arguments.device == "cuda" ? v1::Resources::DEVICE_CUDA
                                                                 : v1::Resources::DEVICE_CPU);
  job.mutable_resources()->set_precision(arguments.precision == "bfloat16"
                                             ? v1::Resources::PRECISION_BFLOAT16
                                             : v1::Resources::PRECISION_FLOAT32);
  job.mutable_limits()->mutable_start()->set_seconds(kLimit.count());
  job.mutable_limits()->mutable_step()->set_seconds(kLimit.count());
  return task;
}

absl::Status Run(const Arguments& arguments) {
  at::set_num_interop_threads(1);
  at::set_num_threads(static_cast<int>(arguments.threads));
  auto world = std::getenv("OMPI_COMM_WORLD_RANK") == nullptr
                   ? absl::StatusOr<std::unique_ptr<train::Collective>>(collective::MakeSingle())
                   : collective::MakeMpi(kLimit);
  if (!world.ok()) return world.status();
  const auto device = worker::OpenDevice(TaskOf(arguments), **world);
  if (!device.ok()) return device.status();
  train::Collective& ranks = device->collective != nullptr ? *device->collective : **world;
  model::NetworkOptions network_options;
  network_options.architecture = arguments.architecture == "resnet50"
                                     ? model::Architecture::kResnet50
                                     : model::Architecture::kResnet18;
  network_options.classes = kClasses;
  network_options.device = device->device;
  network_options.bfloat16 = arguments.precision == "bfloat16";
  auto network = model::Network::Create(network_options, 1);
  if (!network.ok()) return network.status();
  train::TrainerOptions options;
  options.steps = kWarmUpSteps + arguments.steps;
  options.global_batch = arguments.global_batch;
  options.image_size = arguments.image_size;
  options.rho.assign(kClasses, 0.1);
  if (arguments.bucket_bytes > 0) options.bucket_bytes = arguments.bucket_bytes;
  options.channels_last_pixels = !device->device.is_cpu() || network_options.bfloat16;
  SameImages images(options, ranks.rank(), ranks.world_size(), device->batch_memory);
  NeutralGrants grants;
  TimingMonitor monitor;
  train::ShareMemory share;
  if (arguments.bucket_bytes == 0 && device->device.is_cpu()) {
    share = [&](int64_t bytes) {
      return collective::ShareMemory(**world, bytes, options.step_limit);
    };
  }
  auto trainer = train::Trainer::Create(
      options, {**network, ranks, grants, images, monitor, share, device->graph.get()});
  if (!trainer.ok()) return trainer.status();
  if (const auto done = (*trainer)->RunUntil(options.steps); !done.ok()) return done.status();
  std::vector<double> times = monitor.Milliseconds(kWarmUpSteps);
  std::ranges::sort(times);
  if ((*world)->rank() == 0) {
    const double median = times[times.size() / 2];
    fmt::print("{{\"images_per_second\": {:.3f}, \"milliseconds\": {:.3f}, \"peak_mb\": {:.3f}}}\n",
               2e3 * static_cast<double>(arguments.global_batch) / median, median,
               static_cast<double>(benchmark::StatusBytes("VmHWM")) / 1e6);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace ltml

int main(int count, char** values) {
  ltml::worker::PrepareDevices();
  const absl::Status status = ltml::Run(ltml::Parse(count, values));
  if (!status.ok())
    std::fprintf(stderr, "step_figures: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
