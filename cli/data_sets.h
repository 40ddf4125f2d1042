#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/dataset.h"
#include "ltml/v1/job.pb.h"

namespace ltml::cli {

// Opens the job's sets and checks that data.validation and data.test have the class table of
// data.train.  Returns the training set.  All faults have exit code 1.
absl::StatusOr<std::shared_ptr<const dataset::Dataset>> OpenTrainingSet(const v1::JobSpec& job);

// Opens a set whose class table must equal `classes` of `owner` ("the checkpoint").
absl::StatusOr<std::shared_ptr<const dataset::Dataset>> OpenMatchingSet(
    const std::filesystem::path& folder, const std::vector<std::string>& classes,
    std::string_view owner);

}  // namespace ltml::cli
