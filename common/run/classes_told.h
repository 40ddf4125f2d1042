#pragma once

#include <cstddef>
#include <optional>

#include "ltml/v1/job.pb.h"

namespace ltml::run {

// How many of the rarest and of the weakest classes metrics and curves tell of (SelectClasses);
// nothing: of all.
inline std::optional<size_t> ClassesTold(const v1::Monitoring& monitoring) {
  if (monitoring.per_class() == v1::Monitoring::PER_CLASS_ALL) return std::nullopt;
  return static_cast<size_t>(monitoring.top_classes());
}

}  // namespace ltml::run
