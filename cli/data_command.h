#pragma once

#include <string>

#include "common/dataset/dataset.h"

namespace ltml::cli {

// What `ltml data info` prints: the figures of a data set, then its classes from the most to the
// least frequent with a bar each.  `colour` as in Context.
std::string DatasetText(const dataset::Dataset& dataset, bool colour);

}  // namespace ltml::cli
