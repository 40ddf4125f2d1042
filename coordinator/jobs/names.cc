#include "coordinator/jobs/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace ltml::jobs {

bool IsToken(std::string_view text) {
  return !text.empty() && text.size() <= kLongestToken && std::ranges::all_of(text, [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

bool IsJobName(std::string_view name) {
  constexpr std::string_view kCollection = "jobs/";
  if (!name.starts_with(kCollection)) return false;
  const std::string_view id = name.substr(kCollection.size());
  return IsToken(id) && absl::ascii_isalnum(id.front());
}

}  // namespace ltml::jobs
