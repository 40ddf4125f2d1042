#include "coordinator/monitoring/process_facts.h"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <system_error>

namespace ltml::monitoring {
namespace {

// Pages of resident memory: the second number of /proc/self/statm.
double ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  double size = 0, resident = 0;
  file >> size >> resident;
  return file ? resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) : 0;
}

double CpuSeconds() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int64_t OpenFiles() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  return error ? 0 : std::distance(begin(files), end(files));
}

double StartSeconds() {
  static const double start =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return start;
}

// From the beginning of the program on.
[[maybe_unused]] const double kStarted = StartSeconds();

}  // namespace

ServerFacts ReadProcess(const std::vector<std::pair<std::string, std::filesystem::path>>& folders) {
  ServerFacts facts;
  facts.start_seconds = StartSeconds();
  facts.cpu_seconds = CpuSeconds();
  facts.resident_bytes = ResidentBytes();
  facts.open_files = OpenFiles();
  for (const auto& [name, folder] : folders) {
    struct statvfs disk {};
    if (::statvfs(folder.c_str(), &disk) != 0) continue;
    const auto block = static_cast<double>(disk.f_frsize);
    facts.disks.push_back({.folder = name,
                           .size_bytes = block * static_cast<double>(disk.f_blocks),
                           .free_bytes = block * static_cast<double>(disk.f_bavail)});
  }
  return facts;
}

}  // namespace ltml::monitoring
