#include "cli/data_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "cli/context.h"
#include "common/base/status_macros.h"
#include "common/dataset/class_table.h"

namespace ltml::cli {
namespace {

using DatasetPointer = std::shared_ptr<const dataset::Dataset>;

absl::StatusOr<DatasetPointer> Open(const std::filesystem::path& folder) {
  absl::StatusOr<DatasetPointer> opened = dataset::Dataset::Open(folder);
  if (!opened.ok()) return DataFault(opened.status());
  return opened;
}

absl::Status CheckWeights(const v1::JobSpec& job) {
  std::error_code error;
  const std::string& file = job.model().weights();
  if (file.empty() || std::filesystem::is_regular_file(file, error)) return absl::OkStatus();
  return absl::DataLossError(fmt::format(
      "model.weights: no file '{}'; make one with scripts/convert-weights, or leave the key out "
      "to start from random weights",
      file));
}

}  // namespace

absl::StatusOr<DatasetPointer> OpenMatchingSet(const std::filesystem::path& folder,
                                               const std::vector<std::string>& classes,
                                               std::string_view owner) {
  LTML_ASSIGN_OR_RETURN(DatasetPointer set, Open(folder));
  const std::string difference = dataset::ClassTableDifference(set->class_names(), classes);
  if (difference.empty()) return set;
  return absl::DataLossError(
      fmt::format("data set '{}' has another class table than {}: {}; import it again with "
                  "--classes TRAINING_SET",
                  folder.string(), owner, difference));
}

absl::StatusOr<DatasetPointer> OpenTrainingSet(const v1::JobSpec& job) {
  LTML_ASSIGN_OR_RETURN(DatasetPointer train, Open(job.data().train()));
  for (const std::string& folder : {job.data().validation(), job.data().test()}) {
    if (folder.empty()) continue;
    LTML_RETURN_IF_ERROR(OpenMatchingSet(folder, train->class_names(), "data.train").status());
  }
  LTML_RETURN_IF_ERROR(CheckWeights(job));
  return train;
}

}  // namespace ltml::cli
