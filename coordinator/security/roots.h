#pragma once

#include <filesystem>
#include <vector>

#include "absl/status/status.h"

namespace ltml::security {

// OK when `path` is absolute, exists, and lies below one of `roots` when every symbolic link on the
// way is followed (openat2 RESOLVE_BENEATH from the root, so that a link out of it is refused).
// PermissionDenied names path and roots; NotFound when it lies below one but does not exist.
absl::Status CheckBelow(const std::filesystem::path& path,
                        const std::vector<std::filesystem::path>& roots);

}  // namespace ltml::security
