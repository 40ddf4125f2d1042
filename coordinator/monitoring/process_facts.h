#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/monitoring/collect.h"

namespace ltml::monitoring {

// What the system tells of this process, and of the disks of `folders` (by the names that metrics
// give them); a disk that cannot be asked is left out.
ServerFacts ReadProcess(const std::vector<std::pair<std::string, std::filesystem::path>>& folders);

}  // namespace ltml::monitoring
