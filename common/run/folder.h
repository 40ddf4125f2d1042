#pragma once

#include <cstdint>
#include <filesystem>

namespace ltml::run {

// RUN/attempts/N, where an attempt's logs and records lie.
std::filesystem::path AttemptFolder(const std::filesystem::path& run_folder, int64_t epoch);

}  // namespace ltml::run
