// One rank of a training step over real MPI: mpirun -n 2 mpi_training.
//   (no argument)      gradients of the ranks equal those of one process
//   --step-time [N]    seconds of a step of the quick start's network, median of N steps
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "tests/unit/train/fixture.h"
#include "worker/collective/collectives.h"

namespace ltml::train {
namespace {

// Largest difference between gradients over MPI and in one process, relative to their norm.
double WorstDifference(Collective& world) {
  JobSetup setup;
  setup.options.bucket_bytes = 100'000;
  const int ranks = world.world_size();
  const auto single = collective::MakeSingle();
  Coordinator one(1, setup.network.classes, 0.9, setup.options.window);
  Coordinator mine(1, setup.network.classes, 0.9, setup.options.window);
  RankJob expected(setup, *single, one), job(setup, world, mine);
  if (!expected.trainer->RunUntil(1).ok() || !job.trainer->BroadcastWeights(kLimit).ok() ||
      !job.trainer->RunUntil(1).ok()) {
    return 1;
  }
  const auto expected_gradients = expected.trainer->GradientTensors();
  const auto gradients = job.trainer->GradientTensors();
  double worst = 0;
  for (size_t i = 0; i < gradients.size(); ++i) {
    const at::Tensor difference = gradients[i].tensor - expected_gradients[i].tensor;
    worst = std::max(worst, difference.norm().item<double>() /
                                expected_gradients[i].tensor.norm().item<double>());
  }
  std::printf("rank %d of %d: worst relative difference %.2g\n", world.rank(), ranks, worst);
  return worst;
}

// Fresh images would cost more than the step; these are made once.
class SameImages : public BatchSource {
 public:
  explicit SameImages(BatchSource& source) : batch_(**source.Next(0, kLimit)) {}
  absl::StatusOr<const Batch*> Next(int64_t step, std::chrono::nanoseconds) override {
    batch_.step = step;
    return &batch_;
  }

 private:
  Batch batch_;
};

int PrintStepTime(Collective& world, int64_t steps) {
  JobSetup setup;
  setup.network = SmallNetwork(40, at::kFloat);
  setup.network.width = 32;
  setup.options.rho.assign(40, 0.05);
  setup.options.global_batch = 32;
  setup.options.image_size = 64;
  setup.options.optimizer = OptimizerKind::kAdamW;
  setup.options.learning_rate = 2e-3;
  setup.options.frozen_batch_norm = false;
  setup.options.compensation = CompensationMode::kNone;
  Coordinator coordinator(1, 40, 0.9, setup.options.window);
  RankJob job(setup, world, coordinator);
  SameImages images(job.batches);
  job.trainer.reset();
  job.trainer =
      Trainer::Create(setup.options, {*job.network, world, job.grants, images, job.monitor})
          .value();
  std::vector<double> seconds;
  for (int64_t step = 1; step <= steps; ++step) {
    const auto begin = std::chrono::steady_clock::now();
    if (!job.trainer->RunUntil(step).ok()) return 1;
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::ranges::sort(seconds);
  std::printf("rank %d: %.3f s a step (least %.3f, most %.3f)\n", world.rank(),
              seconds[seconds.size() / 2], seconds.front(), seconds.back());
  return 0;
}

}  // namespace
}  // namespace ltml::train

int main(int argc, char** argv) {
  at::set_num_threads(1);
  auto mpi = ltml::collective::MakeMpi(std::chrono::seconds(30));
  if (!mpi.ok()) {
    std::fprintf(stderr, "%s\n", std::string(mpi.status().message()).c_str());
    return 1;
  }
  if (argc > 1 && std::string_view(argv[1]) == "--step-time") {
    return ltml::train::PrintStepTime(**mpi, argc > 2 ? std::stoi(argv[2]) : 20);
  }
  return ltml::train::WorstDifference(**mpi) <= 1e-10 ? 0 : 1;
}
