#include "worker/app/options.h"

#include <fmt/format.h>

#include "common/base/cpu.h"
#include "common/base/host_name.h"
#include "common/base/proto_time.h"
#include "common/statistics/statistics.h"
#include "worker/app/cause.h"

namespace ltml::worker {
namespace {

model::Architecture ArchitectureOf(v1::Model::Architecture architecture) {
  switch (architecture) {
    case v1::Model::ARCHITECTURE_RESNET18:
      return model::Architecture::kResnet18;
    case v1::Model::ARCHITECTURE_RESNET34:
      return model::Architecture::kResnet34;
    case v1::Model::ARCHITECTURE_RESNET101:
      return model::Architecture::kResnet101;
    default:
      return model::Architecture::kResnet50;
  }
}

model::Branches BranchesOf(v1::Model::Branches branches) {
  switch (branches) {
    case v1::Model::BRANCHES_UNIFORM:
      return model::Branches::kUniform;
    case v1::Model::BRANCHES_REBALANCED:
      return model::Branches::kRebalanced;
    default:
      return model::Branches::kBoth;
  }
}

train::CompensationMode CompensationOf(v1::Loss::Compensation compensation) {
  switch (compensation) {
    case v1::Loss::COMPENSATION_LABELS:
      return train::CompensationMode::kLabels;
    case v1::Loss::COMPENSATION_LEARNABLE:
      return train::CompensationMode::kLearnable;
    case v1::Loss::COMPENSATION_NONE:
      return train::CompensationMode::kNone;
    default:
      return train::CompensationMode::kStatistics;
  }
}

std::vector<std::vector<int32_t>> LabelRows(const dataset::Dataset& data) {
  std::vector<std::vector<int32_t>> rows(data.images());
  for (int64_t i = 0; i < data.images(); ++i) {
    const auto labels = data.labels(i);
    rows[i].assign(labels.begin(), labels.end());
  }
  return rows;
}

std::vector<double> LabelFrequency(const dataset::Dataset& data) {
  std::vector<double> rho;
  for (const int64_t count : data.class_counts()) {
    rho.push_back(static_cast<double>(count) / static_cast<double>(data.images()));
  }
  return rho;
}

void SetOptimizer(const v1::Optimizer& from, train::TrainerOptions& to) {
  to.optimizer = from.kind() == v1::Optimizer::KIND_ADAMW ? train::OptimizerKind::kAdamW
                                                          : train::OptimizerKind::kSgd;
  to.learning_rate = from.learning_rate();
  to.momentum = from.momentum();
  to.weight_decay = from.weight_decay();
  to.decay_norm = from.decay_norm();
  to.beta1 = from.betas(0);
  to.beta2 = from.betas(1);
}

void SetSchedule(const v1::Schedule& from, train::TrainerOptions& to) {
  to.steps = from.steps();
  to.warmup_steps = from.warmup_steps();
  to.warmup_start = from.warmup_start();
  to.decay =
      from.decay() == v1::Schedule::DECAY_COSINE ? train::Decay::kCosine : train::Decay::kStep;
  to.milestones.assign(from.milestones().begin(), from.milestones().end());
}

bool OnGpu(const v1::JobSpec& job) {
  return job.resources().device() == v1::Resources::DEVICE_CUDA;
}

bool WantsBfloat16(const v1::JobSpec& job) {
  return job.resources().precision() == v1::Resources::PRECISION_BFLOAT16;
}

// Pixels of a batch as the network wants them; the loader writes what the trainer reads.
bool ChannelsLast(const v1::JobSpec& job) { return OnGpu(job) || WantsBfloat16(job); }

}  // namespace

model::NetworkOptions NetworkOptionsOf(const v1::JobSpec& job, int classes, at::Device device) {
  model::NetworkOptions options;
  options.architecture = ArchitectureOf(job.model().architecture());
  options.width = job.model().width();
  options.classes = classes;
  options.head_layers.assign(job.model().head_layers().begin(), job.model().head_layers().end());
  options.branches = BranchesOf(job.model().branches());
  options.separate_bn_statistics = job.model().separate_bn_statistics();
  options.device = device;
  // A model of GPUs that is evaluated on a processor is evaluated in float32, unless it can.
  options.bfloat16 = WantsBfloat16(job) && (!device.is_cpu() || base::HasBfloat16());
  return options;
}

absl::Status CheckPrecision(const v1::JobSpec& job, bool processor_has_bfloat16) {
  if (OnGpu(job) || !WantsBfloat16(job) || processor_has_bfloat16) return absl::OkStatus();
  return WithCause(
      absl::FailedPreconditionError(fmt::format(
          "resources.precision is \"bfloat16\", but the processor of host {} has no AVX512-BF16 "
          "and would be about 40 times slower than with float32: set it to \"float32\", or use "
          "hosts with such a processor or resources.device = \"cuda\"",
          base::HostName())),
      v1::FAILURE_CAUSE_CONFIGURATION);
}

absl::StatusOr<train::TrainerOptions> TrainerOptionsOf(const v1::JobSpec& job,
                                                       const dataset::Dataset& training_set) {
  train::TrainerOptions options;
  SetOptimizer(job.optimizer(), options);
  SetSchedule(job.schedule(), options);
  options.global_batch = job.streams().global_batch();
  options.window = job.loss().statistics_window();
  options.statistics_decay = job.loss().statistics_decay();
  options.compensation = CompensationOf(job.loss().compensation());
  if (options.compensation == train::CompensationMode::kLabels) {
    options.fixed_compensation =
        statistics::CompensateFromLabels(LabelRows(training_set), training_set.classes());
  }
  options.weighting = job.loss().weighting() == v1::Loss::WEIGHTING_NONE
                          ? model::Weighting::kNone
                          : model::Weighting::kFrequency;
  options.consistency = job.loss().consistency();
  options.rho = LabelFrequency(training_set);
  options.image_size = job.model().image_size();
  options.channels_last_pixels = ChannelsLast(job);
  options.step_limit = base::ToNanoseconds(job.limits().step());
  options.grant_limit = base::ToNanoseconds(job.limits().grant());
  return options;
}

data::LoaderOptions LoaderOptionsOf(const v1::JobSpec& job, int rank, int world_size,
                                    int64_t first_step) {
  data::LoaderOptions options;
  options.seed = job.streams().seed();
  options.global_batch = job.streams().global_batch();
  options.rank = rank;
  options.world_size = world_size;
  options.image_size = job.model().image_size();
  options.use_uniform = job.model().branches() != v1::Model::BRANCHES_REBALANCED;
  options.use_rebalanced = job.model().branches() != v1::Model::BRANCHES_UNIFORM;
  options.first_step = first_step;
  options.steps = job.schedule().steps();
  options.threads = job.data().loader_threads();
  options.layout = ChannelsLast(job) ? data::Layout::kInterleaved : data::Layout::kPlanes;
  options.apply_orientation = job.data().apply_orientation();
  const v1::Augmentation& augmentation = job.augmentation();
  options.crop_scale = {augmentation.crop_scale(0), augmentation.crop_scale(1)};
  options.crop_ratio = {augmentation.crop_ratio(0), augmentation.crop_ratio(1)};
  options.flip = augmentation.flip();
  options.jitter = augmentation.jitter();
  return options;
}

data::EvaluationOptions EvaluationOptionsOf(const v1::JobSpec& job, int rank, int world_size) {
  data::EvaluationOptions options;
  options.batch = job.evaluation().batch();
  options.image_size = job.model().image_size();
  options.apply_orientation = job.data().apply_orientation();
  options.threads = job.data().loader_threads();
  options.rank = rank;
  options.world_size = world_size;
  return options;
}

}  // namespace ltml::worker
