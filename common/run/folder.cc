#include "common/run/folder.h"

#include <fmt/format.h>

namespace ltml::run {

std::filesystem::path AttemptFolder(const std::filesystem::path& run_folder, int64_t epoch) {
  return run_folder / "attempts" / fmt::format("{}", epoch);
}

}  // namespace ltml::run
