#include "coordinator/security/roots.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "common/base/descriptor.h"

namespace ltml::security {
namespace {

// The part of `path` after `root`; empty when it is not below it by its words.
std::filesystem::path Beneath(const std::filesystem::path& path,
                              const std::filesystem::path& root) {
  const std::filesystem::path relative = path.lexically_relative(root);
  const bool below = !relative.empty() && *relative.begin() != "..";
  return below ? relative : std::filesystem::path();
}

// 0, or the reason why the kernel does not reach `relative` without leaving `root`.
int Resolve(const std::filesystem::path& root, const std::filesystem::path& relative) {
  const base::Descriptor folder(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open()) return errno;
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const base::Descriptor file(static_cast<int>(
      ::syscall(SYS_openat2, folder.number(), relative.c_str(), &how, sizeof how)));
  return file.open() ? 0 : errno;
}

std::string Names(const std::vector<std::filesystem::path>& roots) {
  std::vector<std::string> names;
  for (const auto& root : roots) names.push_back(root.string());
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

absl::Status CheckBelow(const std::filesystem::path& path,
                        const std::vector<std::filesystem::path>& roots) {
  const std::filesystem::path clean = path.lexically_normal();
  bool missing = false;
  for (const std::filesystem::path& root : roots) {
    if (!path.is_absolute()) break;
    const std::filesystem::path relative = Beneath(clean, root.lexically_normal());
    if (relative.empty()) continue;
    const int error = Resolve(root, relative);
    if (error == 0) return absl::OkStatus();
    missing = missing || error == ENOENT || error == ENOTDIR;
  }
  if (missing) {
    return absl::NotFoundError(
        fmt::format("'{}' does not exist on the server's machine", path.string()));
  }
  return absl::PermissionDeniedError(
      fmt::format("'{}' does not lie below a folder that jobs may use ({}), or a symbolic link "
                  "leads out of it; "
                  "move it there, or have paths.data extended",
                  path.string(), Names(roots)));
}

}  // namespace ltml::security
