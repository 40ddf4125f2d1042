#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/dataset.h"
#include "ltml/v1/job.pb.h"

namespace ltml::cli {

// Steps [begin, end) of a job.
struct StepRange {
  int64_t begin = 0;
  int64_t end = 0;
};

// "A:B" with 0 <= A < B <= steps; A is 0 and B is `steps` when left out.  InvalidArgument
// otherwise.
absl::StatusOr<StepRange> ParseStepRange(std::string_view text, int64_t steps);

// Gives `print` one line a step, stream and rank, in this order, without the line break:
//   {"step":0,"stream":"uniform","rank":0,"images":["a.jpg"]}
// They are the images that training draws; a job with one branch has its one stream only.
// InvalidArgument when a rank would have no image or no class has one.
absl::Status PlanLines(const v1::JobSpec& job, const dataset::Dataset& train, StepRange steps,
                       int world_size, const std::function<void(std::string_view)>& print);

}  // namespace ltml::cli
