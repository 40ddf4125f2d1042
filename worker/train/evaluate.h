#pragma once

#include <chrono>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/model/network.h"
#include "worker/train/batch_source.h"
#include "worker/train/collective.h"
#include "worker/train/grant_source.h"

namespace ltml::train {

// Probabilities of every image of `source`, [images][K], on all ranks.  Batch b is worked by rank
// b mod world_size; every batch has one shape, so the result has the same bits for any world size.
// flip: mean over the image and its horizontal mirror.  kStop by the monitor ends it with Cancelled
// on all ranks alike.  A batch that cannot be loaded ends all ranks: the one at fault with its own
// error, the others with Aborted, which names it.  `step`: completed steps, for Monitor::Progress.
absl::StatusOr<std::vector<float>> Score(model::Network& network, EvaluationSource& source,
                                         int classes, bool flip, Collective& collective,
                                         Monitor& monitor, std::chrono::nanoseconds batch_limit,
                                         int64_t step);

}  // namespace ltml::train
