#include <algorithm>
#include <set>

#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/folders.h"

namespace ltml::checkpoint {

absl::Status Retain(const std::filesystem::path& run_folder, int keep, int64_t best_step) {
  const std::filesystem::path checkpoints = CheckpointsOf(run_folder);
  LTML_ASSIGN_OR_RETURN(const Listing listing, List(checkpoints));
  for (const std::filesystem::path& leftover : listing.temporary) {
    LTML_RETURN_IF_ERROR(Remove(leftover));
  }
  const auto whole = std::ranges::find_if(
      listing.steps, [&](int64_t step) { return Verify(checkpoints / StepName(step)).ok(); });
  const auto remaining = listing.steps.end() - whole;
  const auto kept = whole + std::min<std::ptrdiff_t>(std::max(keep, 1), remaining);
  // A run that goes on from any kept checkpoint finds that one's best, too.
  std::set<int64_t> needed = {best_step};
  for (auto step = whole; step != kept; ++step) {
    v1::CheckpointState state;
    const auto file = checkpoints / StepName(*step) / kStateFile;
    if (base::ReadJsonFile(file, &state).ok()) needed.insert(BestStep(state));
  }
  for (auto step = kept; step != listing.steps.end(); ++step) {
    if (!needed.contains(*step)) LTML_RETURN_IF_ERROR(Remove(checkpoints / StepName(*step)));
  }
  return absl::OkStatus();
}

}  // namespace ltml::checkpoint
