#include "coordinator/service/utc_time.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/ascii.h"

namespace ltml::service {
namespace {

constexpr size_t kNameCharacters = 40;
constexpr size_t kRandomCharacters = 8;

}  // namespace

std::string NewJobId(UtcTime now, const std::string& job_name, const std::string& random) {
  std::string name = job_name.substr(0, kNameCharacters);
  std::ranges::replace_if(
      name, [](unsigned char c) { return !absl::ascii_isalnum(c); }, '-');
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return fmt::format("{:%Y%m%d-%H%M%S}-{}-{}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), name,
                     random.substr(0, kRandomCharacters));
}

}  // namespace ltml::service
