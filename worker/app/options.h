#pragma once

#include "absl/status/statusor.h"
#include "common/dataset/dataset.h"
#include "ltml/v1/job.pb.h"
#include "worker/data/loader.h"
#include "worker/model/network.h"
#include "worker/train/trainer.h"

namespace ltml::worker {

// The job's settings in the types of each room.  The job has been validated.
model::NetworkOptions NetworkOptionsOf(const v1::JobSpec& job, int classes, at::Device device);
absl::StatusOr<train::TrainerOptions> TrainerOptionsOf(const v1::JobSpec& job,
                                                       const dataset::Dataset& training_set);
data::LoaderOptions LoaderOptionsOf(const v1::JobSpec& job, int rank, int world_size,
                                    int64_t first_step);
data::EvaluationOptions EvaluationOptionsOf(const v1::JobSpec& job, int rank, int world_size);

// FailedPrecondition, with its cause, where a job asks for bfloat16 on processors and this host's
// has no instructions for it (base::HasBfloat16).
absl::Status CheckPrecision(const v1::JobSpec& job, bool processor_has_bfloat16);

}  // namespace ltml::worker
