#pragma once

#include <memory>

#include "worker/train/batch_source.h"

namespace ltml::worker {

// `source`, and with LTML_LOG_LEVEL=debug one log event a step that lists the images of this rank's
// slice, to be held against `ltml plan`.
std::unique_ptr<train::BatchSource> TraceImages(std::unique_ptr<train::BatchSource> source);

}  // namespace ltml::worker
