#include "common/examine/resources.h"

#include <dirent.h>
#include <errno.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <system_error>
#include <thread>

#include "common/base/files.h"
#include "common/base/system.h"
#include "common/examine/finding.h"

namespace ltml::examine {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kGigabyte = 1e9;
constexpr double kLeastDisk = 1, kLeastSharedMemory = 0.05;
constexpr rlim_t kLeastFiles = 1024;
// A network file system may keep an old list of a folder for a while.
constexpr std::chrono::seconds kVisible(3);
constexpr std::chrono::milliseconds kLook(100);

bool Holds(const fs::path& file, const std::string& content) {
  return base::ReadFile(file, static_cast<int64_t>(content.size())).value_or("") == content;
}

}  // namespace

v1::Finding CheckSpace(const std::string& subject, const fs::path& folder, double least) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0 || ::access(folder.c_str(), W_OK | X_OK) != 0) {
    return Fault(subject,
                 fmt::format("{} cannot be written: {}", folder.string(), base::Reason(errno)),
                 "make it, or let this user write to it");
  }
  const double free =
      static_cast<double>(status.f_bavail) * static_cast<double>(status.f_frsize) / kGigabyte;
  const std::string text = fmt::format("{:.1f} GB free in {}", free, folder.string());
  if (free >= least) return Ok(subject, text);
  return Warning(subject, text, fmt::format("{:.2g} GB are needed: free some", least));
}

v1::Finding CheckSharedMemory() {
  return CheckSpace("shared memory", "/dev/shm", kLeastSharedMemory);
}

v1::Finding CheckTemporaryFolder() {
  std::error_code error;
  const fs::path folder = fs::temp_directory_path(error);
  if (!error) return CheckSpace("temporary folder", folder, kLeastDisk);
  return Fault("temporary folder", fmt::format("there is none: {}", error.message()),
               "set TMPDIR to a folder that this user can write");
}

v1::Finding CheckDisk(const std::string& subject, const fs::path& folder) {
  return CheckSpace(subject, folder, kLeastDisk);
}

v1::Finding CheckReadable(const std::string& subject, const fs::path& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::opendir(folder.c_str()), ::closedir);
  if (list != nullptr) return Ok(subject, folder.string());
  return Fault(subject, fmt::format("{} cannot be read: {}", folder.string(), base::Reason(errno)),
               "mount it at this path, or let this user read it");
}

v1::Finding CheckShared(const fs::path& folder, const fs::path& file, const std::string& content) {
  v1::Finding finding = CheckReadable("runs folder", folder);
  if (finding.grade() != v1::Finding::GRADE_OK) return finding;
  for (const auto deadline = Clock::now() + kVisible; Clock::now() < deadline;) {
    if (Holds(file, content)) {
      return Ok("runs folder", fmt::format("{} is the server's", folder.string()));
    }
    std::this_thread::sleep_for(kLook);
  }
  return Fault("runs folder",
               fmt::format("{} is another folder than the server's: {}, which the server has just "
                           "written, is not in it",
                           folder.string(), file.filename().string()),
               "mount the server's folder at this path");
}

v1::Finding CheckOpenFiles() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::string text = fmt::format("{} open files", limit.rlim_cur);
  if (limit.rlim_cur >= kLeastFiles) return Ok("limits", text);
  return Warning("limits", text, fmt::format("raise them: ulimit -n {}", kLeastFiles));
}

v1::Finding CheckProcessor() {
  const std::string cores = fmt::format("{} cores", ::sysconf(_SC_NPROCESSORS_ONLN));
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") == 0) {
    return Warning("processor", cores + " without AVX2",
                   "use another machine: training here is several times slower");
  }
#endif
  return Ok("processor", cores);
}

}  // namespace ltml::examine
