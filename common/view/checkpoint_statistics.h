#pragma once

#include "absl/status/statusor.h"
#include "ltml/v1/checkpoint.pb.h"
#include "ltml/v1/statistics.pb.h"

namespace ltml::view {

// What the streams had delivered when a checkpoint was written, its open window included, and the
// compensation that its finished windows make.  InvalidArgument for arrays of different lengths.
absl::StatusOr<v1::ClassStatistics> StatisticsOf(const v1::CheckpointState& state);

}  // namespace ltml::view
